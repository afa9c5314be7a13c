//! Every function and layer on shapes it takes and on one it refuses.

use super::*;
use crate::types::Element;

fn t<const N: usize>(shape: [usize; N]) -> Arg {
    Arg::Tensor(TensorType::float(shape, true))
}

fn y<const N: usize>(shape: [usize; N], classes: usize) -> Arg {
    Arg::Tensor(TensorType { element: Element::Class(Dim::Known(classes)), ..TensorType::float(shape, true) })
}

fn n(number: f64) -> Arg {
    Arg::Number(Some(number))
}

fn list<const N: usize>(numbers: [usize; N]) -> Arg {
    Arg::List { items: numbers.iter().map(|number| n(*number as f64)).collect(), open: false }
}

fn tensors<const N: usize>(items: [Arg; N]) -> Arg {
    Arg::List { items: items.to_vec(), open: false }
}

/// Types of the results, or what is wrong.
fn plan<const N: usize>(name: &str, arguments: [Arg; N], named: &[(&str, Arg)]) -> Result<Plan, Problem> {
    let signature = find(name).unwrap_or_else(|| panic!("no function `{name}`"));
    let mut slots = vec![None; signature.required.len() + signature.optional.len()];
    for (slot, argument) in slots.iter_mut().zip(arguments) {
        *slot = Some(argument);
    }
    for (name, value) in named {
        let place = signature.required.iter().chain(signature.optional).position(|known| known == name);
        slots[place.unwrap_or_else(|| panic!("no argument `{name}`"))] = Some(value.clone());
    }
    (signature.rule)(&Bound { signature, arguments: &slots })
}

fn types(plan: &Plan) -> String {
    plan.results.iter().map(TensorType::to_string).collect::<Vec<_>>().join(", ")
}

#[track_caller]
fn gives<const N: usize>(name: &str, arguments: [Arg; N], named: &[(&str, Arg)], expected: &str) {
    match plan(name, arguments, named) {
        Ok(plan) => assert_eq!(types(&plan), expected, "{name}"),
        Err(problem) => panic!("{name}: {}", problem.message),
    }
}

#[track_caller]
fn refuses<const N: usize>(name: &str, arguments: [Arg; N], named: &[(&str, Arg)], expected: &str) {
    match plan(name, arguments, named) {
        Ok(plan) => panic!("{name} gives {}", types(&plan)),
        Err(problem) => assert!(problem.message.contains(expected), "{name}: {}", problem.message),
    }
}

#[test]
fn elementwise_functions_keep_the_shape_and_refuse_classes() {
    let unary = [
        "ln", "exp", "sqrt", "square", "abs", "sin", "cos", "floor", "sign", "tanh", "sigmoid", "softplus", "relu", "elu",
        "gelu", "silu",
    ];
    for name in unary {
        gives(name, [t([3, 4])], &[], "[3, 4]");
        refuses(name, [y([], 3)], &[], "classes take part in no arithmetic");
    }
    gives("leaky_relu", [t([3]), n(0.2)], &[], "[3]");
    gives("clamp", [t([3]), n(-1.0), n(1.0)], &[], "[3]");
    refuses("clamp", [t([3]), n(1.0), n(-1.0)], &[], "lower bound first");
    gives("pow", [t([3]), n(2.0)], &[], "[3]");
    refuses("pow", [t([3]), t([3])], &[], "known at compile time");
    for name in ["stop", "reverse", "straight_through"] {
        let second = if name == "reverse" { Arg::Tensor(TensorType::float([], false)) } else { t([2]) };
        gives(name, [t([2]), second], &[], "[2]");
    }
    refuses("reverse", [t([2]), t([2])], &[], "number or a hyper");
    for name in ["zeros", "ones"] {
        let made = plan(name, [list([2, 3])], &[]).unwrap();
        assert_eq!((types(&made).as_str(), made.results[0].per_sample), ("[2, 3]", false));
        refuses(name, [t([2])], &[], "a shape, such as");
    }
}

#[test]
fn shapes_combine_by_the_rule_and_not_from_the_right() {
    for name in ["max", "min"] {
        gives(name, [t([3, 1]), t([1, 4])], &[], "[3, 4]");
        gives(name, [t([1]), t([2, 4])], &[], "[2, 4]");
        gives(name, [t([]), t([1])], &[], "[1]");
        refuses(name, [t([4]), t([2, 4])], &[], "write `.reshape([1, 4])` on the [4]");
        refuses(name, [t([3]), t([3, 8, 8])], &[], "write `.reshape([3, 1, 1])` on the [3]");
        refuses(name, [t([3]), t([4])], &[], "the shapes [3] and [4] do not combine");
    }
    gives("mix", [t([4]), t([4]), t([1])], &[], "[4]");
    refuses("mix", [t([4]), t([5]), t([1])], &[], "[4] and [5]");
    gives("select", [t([]), y([], 7), n(3.0)], &[], "class(7)");
    gives("select", [t([4]), t([4]), n(3.0)], &[], "[4]");
    refuses("select", [t([]), y([], 7), n(7.0)], &[], "classes go from 0 to 6");
    refuses("select", [t([]), y([], 7), t([])], &[], "a class goes with classes and integers only");
}

#[test]
fn operators_compare_classes_and_refuse_to_add_them() {
    use crate::tree::Binary::*;
    for op in [Add, Sub, Mul, Div, Less, LessEqual, Greater, GreaterEqual] {
        assert_eq!(types(&binary(op, t([2, 3]), n(1.0)).unwrap()), "[2, 3]");
        assert!(binary(op, y([], 3), n(1.0)).unwrap_err().message.contains("got class(3)"));
    }
    for op in [Equal, NotEqual] {
        let made = binary(op, y([5], 3), n(0.0)).unwrap();
        assert_eq!(types(&made), "[5]");
        assert_eq!(made.operands[1], Operand::Label { index: 0, classes: Dim::Known(3) });
        assert!(binary(op, y([5], 3), y([5], 4)).unwrap_err().message.contains("different sets"));
    }
}

#[test]
fn reductions_take_all_axes_or_one() {
    for name in ["sum", "mean", "norm", "amax", "var"] {
        gives(name, [t([3, 4])], &[], "[]");
        gives(name, [t([3, 4])], &[("axis", n(-1.0))], "[3]");
        refuses(name, [t([3, 4])], &[("axis", n(2.0))], "axis 2 does not exist in [3, 4]");
    }
    for name in ["softmax", "log_softmax"] {
        gives(name, [t([3, 4])], &[], "[3, 4]");
        refuses(name, [t([])], &[], "at least one axis");
    }
    assert_eq!(plan("softmax", [t([3, 4])], &[]).unwrap().function, Function::Softmax { axis: 1 });
}

#[test]
fn functions_of_shape_count_elements_and_axes() {
    gives("reshape", [t([6]), list([2, 3])], &[], "[2, 3]");
    refuses("reshape", [t([6]), list([4])], &[], "6 elements are not 4");
    gives("flatten", [t([2, 3, 4])], &[], "[24]");
    gives("transpose", [t([2, 3]), n(0.0), n(1.0)], &[], "[3, 2]");
    refuses("transpose", [t([2, 3]), n(0.0), n(2.0)], &[], "axis 2 does not exist");
    gives("flip", [t([2, 3]), n(1.0)], &[], "[2, 3]");
    gives("concat", [tensors([t([2, 5]), t([3, 5])])], &[], "[5, 5]");
    gives("concat", [tensors([t([2, 5]), t([2, 1])])], &[("axis", n(1.0))], "[2, 6]");
    refuses("concat", [tensors([t([2, 5]), t([3, 6])])], &[], "[2, 5], [3, 6]");
    refuses("concat", [tensors([t([3, 8, 8]), t([6])])], &[], "`.spread([8, 8])`");
    refuses("concat", [tensors([t([2]), y([], 3)])], &[], "one_hot()");
    gives("stack", [tensors([t([2]), t([2]), t([2])])], &[], "[3, 2]");
    gives("stack", [tensors([y([], 9), y([], 9)])], &[], "[2] of class(9)");
    refuses("stack", [tensors([t([2]), t([3])])], &[], "entry 0 is [2], entry 1 is [3]");
    refuses("stack", [tensors([])], &[], "nothing was pushed");
    gives("copies", [t([2]), n(3.0)], &[], "[3, 2]");
    refuses("copies", [t([2]), n(2.5)], &[], "whole number of at least 1, got 2.5");
    gives("spread", [t([6]), list([4, 5])], &[], "[6, 4, 5]");
    refuses("spread", [t([6, 2]), list([4, 5])], &[], "a vector [c]");
    gives("slice", [t([2, 9]), n(1.0), n(3.0), n(7.0)], &[], "[2, 4]");
    refuses("slice", [t([2, 9]), n(1.0), n(3.0), n(10.0)], &[], "past the end of axis 1");
    gives("diff", [t([2, 9]), n(1.0)], &[], "[2, 8]");
    refuses("diff", [t([1]), n(0.0)], &[], "at least two");
    gives("pad", [t([3, 8, 8]), n(2.0)], &[], "[3, 12, 12]");
    for name in ["max_pool", "avg_pool"] {
        gives(name, [t([3, 9, 8]), n(2.0)], &[], "[3, 4, 4]");
        refuses(name, [t([3, 9, 8]), n(10.0)], &[], "does not fit");
        refuses(name, [t([9]), n(2.0)], &[], "[c, L] or [c, H, W], got [9]");
    }
    gives("upsample", [t([3, 4, 4]), n(2.0)], &[], "[3, 8, 8]");
    gives("pixel_shuffle", [t([8, 4, 4]), n(2.0)], &[], "[2, 8, 8]");
    refuses("pixel_shuffle", [t([6, 4, 4]), n(2.0)], &[], "divisible by 4");
    gives("glu", [t([6, 4])], &[], "[3, 4]");
    refuses("glu", [t([5, 4])], &[], "must be even");
}

#[test]
fn products_and_densities_name_both_operands() {
    gives("matmul", [t([4]), t([4])], &[], "[]");
    gives("matmul", [t([3, 4]), t([4])], &[], "[3]");
    gives("matmul", [t([4]), t([4, 5])], &[], "[5]");
    gives("matmul", [t([3, 4]), t([4, 5])], &[], "[3, 5]");
    refuses("matmul", [t([3, 4]), t([5])], &[], "`matmul` of [3, 4] and [5]");
    gives("cosine", [t([4]), t([4])], &[], "[]");
    refuses("cosine", [t([4]), t([5])], &[], "got [4] and [5]");
    gives("attention", [t([2, 8]), t([5, 8]), t([5, 3])], &[], "[2, 3]");
    refuses("attention", [t([2, 8]), t([5, 7]), t([5, 3])], &[], "[5, 7]");
    gives("kl_normal", [t([4]), t([4])], &[], "[]");
    refuses("kl_normal", [t([4]), t([5])], &[], "[4] and [5]");
    gives("normal_log_prob", [t([4]), t([4]), t([])], &[], "[]");
    refuses("normal_log_prob", [t([4]), t([4]), t([5])], &[], "[4] and [5]");
}

#[test]
fn classes_keep_their_number() {
    gives("one_hot", [y([5], 9)], &[], "[5, 9]");
    refuses("one_hot", [t([5])], &[], "a class or a tensor of classes, got [5]");
    gives("label", [n(2.0), n(5.0)], &[], "class(5)");
    refuses("label", [n(5.0), n(5.0)], &[], "no class 5 among 5");
    gives("classes", [n(4.0)], &[], "[4] of class(4)");
    for name in ["sample", "argmax"] {
        gives(name, [t([5, 9])], &[], "[5] of class(9)");
        refuses(name, [t([])], &[], "logits");
    }
    for name in ["log_prob", "cross_entropy"] {
        gives(name, [t([9]), y([], 9)], &[], "[]");
        gives(name, [t([5, 9]), y([5], 9)], &[], "[5]");
        refuses(name, [t([9]), y([], 8)], &[], "logits for 9 classes, but the class is one of 8");
        refuses(name, [t([9]), y([3], 9)], &[], "classes are [3] of class(9)");
    }
    gives("entropy", [t([5, 9])], &[], "[5]");
    gives("other_class", [y([], 9)], &[], "class(9)");
    refuses("other_class", [y([], 1)], &[], "at least two");
    gives("embed", [y([5], 9), n(16.0)], &[], "[5, 16]");
    refuses("embed", [t([9]), n(16.0)], &[], "a class or a tensor of classes");
}

#[test]
fn draws_are_per_sample_and_look_at_the_batch_only_where_there_is_one() {
    for (name, argument, ty) in
        [("normal", list([3]), "[3]"), ("uniform", list([1]), "[1]"), ("categorical", n(7.0), "class(7)")]
    {
        let made = plan(name, [argument], &[]).unwrap();
        assert_eq!((types(&made).as_str(), made.results[0].per_sample), (ty, true), "{name}");
    }
    refuses("uniform", [list([1])], &[("low", n(2.0))], "`low` below `high`, got 2 and 1");
    gives("bernoulli", [n(0.5), list([4])], &[], "[4]");
    refuses("bernoulli", [t([4]), list([4])], &[], "must be a scalar");
    gives("dropout", [t([4]), n(0.5)], &[], "[4]");
    refuses("dropout", [t([4]), n(1.0)], &[], "from 0 to below 1");
    gives("diff_augment", [t([3, 8, 8])], &[], "[3, 8, 8]");
    gives("diff_augment", [t([1, 8, 8])], &[("cutout", n(0.0)), ("translation", n(1.0))], "[1, 8, 8]");
    refuses("diff_augment", [t([3, 8, 8])], &[("cutout", n(8.0))], "from 0 (none) to 1, got 8");
    refuses("diff_augment", [t([8, 8])], &[], "takes pictures [c, h, w]");
    gives("minibatch_std", [t([3, 4, 4])], &[], "[4, 4, 4]");
    refuses("minibatch_std", [Arg::Tensor(TensorType::float([4], false))], &[], "one value for all");
    gives("other_sample", [t([4])], &[], "[4]");
    gives("replay", [t([4]), n(50.0)], &[], "[4]");
    refuses("replay", [Arg::Tensor(TensorType::float([4], false)), n(50.0)], &[], "one value for all");
}

#[test]
fn layers_follow_the_arithmetic_of_windows() {
    gives("dense", [t([8]), n(3.0)], &[], "[3]");
    gives("dense", [t([5, 8]), n(3.0)], &[], "[5, 3]");
    refuses("dense", [t([3, 8, 8]), n(3.0)], &[], "got [3, 8, 8]; write `.flatten()` first");
    let down = [("stride", n(2.0)), ("pad", n(1.0))];
    gives("conv", [t([1, 28, 28]), n(32.0), n(4.0)], &down, "[32, 14, 14]");
    gives("conv", [t([1, 4096]), n(16.0), n(31.0)], &[("stride", n(2.0)), ("pad", n(15.0))], "[16, 2048]");
    gives("conv", [t([1, 9, 5]), n(2.0), list([3, 5])], &[], "[2, 7, 1]");
    refuses("conv", [t([64]), n(8.0), n(4.0)], &[], "got [64]; write `.reshape([64, 1, 1])`");
    refuses("conv", [t([1, 3, 3]), n(8.0), n(5.0)], &[], "`pad = 1` at least");
    refuses("conv", [t([3, 9, 9]), n(8.0), n(3.0)], &[("groups", n(2.0))], "must divide the 3 input channels");
    refuses("conv", [t([1, 9, 9]), n(8.0), list([3, 3, 3])], &[], "a list of 2");
    gives("conv_transpose", [t([64, 7, 7]), n(32.0), n(4.0)], &down, "[32, 14, 14]");
    gives("conv_transpose", [t([64, 3, 3]), n(1.0), n(5.0)], &down, "[1, 7, 7]");
    refuses("conv_transpose", [t([4, 1, 1]), n(1.0), n(1.0)], &[("pad", n(1.0))], "nothing is left");
    refuses("conv_transpose", [t([4, 3, 3]), n(1.0), n(3.0)], &[("output_pad", n(1.0))], "less than `stride = 1`");
    for name in ["batch_norm", "layer_norm", "prelu"] {
        gives(name, [t([8])], &[], "[8]");
        refuses(name, [t([])], &[], "got []");
    }
    gives("instance_norm", [t([8, 3, 3])], &[], "[8, 3, 3]");
    refuses("instance_norm", [t([8])], &[], "got [8]");
    for name in ["gru", "lstm"] {
        gives(name, [t([5, 8]), n(3.0)], &[("mask", t([5]))], "[5, 3]");
        refuses(name, [t([5, 8]), n(3.0)], &[("mask", t([6]))], "must be [5], got [6]");
        refuses(name, [t([8]), n(3.0)], &[], "a sequence [T, k], got [8]");
    }
    gives("gru_cell", [t([8]), t([3])], &[], "[3]");
    gives("lstm_cell", [t([8]), t([3]), t([3])], &[], "[3], [3]");
    refuses("lstm_cell", [t([8]), t([3]), t([4])], &[], "a state of [3], but a cell of [4]");
}

#[test]
fn open_extents_agree_with_everything() {
    let open = Arg::Tensor(TensorType { shape: vec![Dim::Open, Dim::Known(8)], ..TensorType::float([], true) });
    gives("dense", [open.clone(), Arg::Number(None)], &[], "[?, ?]");
    gives("conv", [open.clone(), n(4.0), Arg::Number(None)], &[], "[4, ?]");
    gives("max", [open.clone(), t([3, 8])], &[], "[3, 8]");
    gives("reshape", [open, list([4, 4])], &[], "[4, 4]");
}

#[test]
fn every_signature_is_known_once_and_tested() {
    let source = include_str!("tests.rs");
    let mut names: Vec<&str> = tables().map(|signature| signature.name).collect();
    for name in &names {
        assert!(source.contains(&format!("\"{name}\"")), "no test calls `{name}`");
    }
    let count = names.len();
    names.sort_unstable();
    names.dedup();
    assert_eq!(names.len(), count);
}
