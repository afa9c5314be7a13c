//! The instructions of a kernel's body in WGSL: one `let` each.
//!
//! A shader works on one element of the vector axis at a time or on four; `F`, `I`, `U` and `B` are the types of floats,
//! integers, words and truth values of that width, so that the text of arithmetic is the same for both.

use super::text::{Layout, bool_word, float, sum};
use crate::ir::{DType, Literal, OpKind};
use crate::plan::{Access, Affine, Inst, Kernel, Store, StoreMode, ValueId};
use crate::{Error, Result};

/// What the instructions of a kernel are written with.
pub struct Body<'a> {
    /// The kernel.
    pub kernel: &'a Kernel,
    /// Where its parameters lie.
    pub layout: &'a Layout,
    /// The parameter whose elements are not read but stand in `given_`: an epilogue's.
    pub given: Option<usize>,
}

impl Body<'_> {
    fn wide(&self) -> bool {
        self.layout.width == 4
    }

    /// Distance between neighbouring lanes.
    fn step(&self, at: &Affine) -> i64 {
        self.kernel.vector.filter(|_| self.wide()).map_or(0, |v| at.coefs[v])
    }

    /// An affine function as text; the first lane of four.
    pub fn affine(&self, at: &Affine) -> String {
        let terms = at.coefs.iter().enumerate().filter(|(_, c)| **c != 0);
        sum(at.offset, terms.map(|(k, c)| (format!("i{k}"), *c)))
    }

    fn address(&self, access: &Access) -> String {
        match self.affine(&access.at).as_str() {
            "0" => format!("p{}", access.param),
            at => format!("p{} + {at}", access.param),
        }
    }

    /// Whether four neighbouring elements of an access are one aligned vector of memory.
    pub fn aligned(kernel: &Kernel, access: &Access, base: bool) -> bool {
        let others = access.at.coefs.iter().enumerate().filter(|(k, _)| kernel.vector != Some(*k));
        base && kernel.vector.is_some_and(|v| access.at.coefs[v] == 1)
            && access.at.offset % 4 == 0
            && others.into_iter().all(|(_, c)| c % 4 == 0)
    }

    /// The words of an access, displaced by the text `index`, which has one entry a lane if it varies.
    fn words(&self, access: &Access, index: Option<&str>) -> String {
        let region = self.layout.region(access.param).letter();
        let (at, step) = (self.address(access), self.step(&access.at));
        if !self.wide() {
            return match index {
                None => format!("{region}1({at})"),
                Some(index) => format!("{region}1({at} + {index})"),
            };
        }
        match index {
            None if step == 0 => format!("U({region}1({at}))"),
            None if step == 1 && Body::aligned(self.kernel, access, self.layout.aligned[access.param]) => {
                format!("{region}4({at})")
            }
            _ => {
                let lane = |lane: i64| {
                    let displaced = index.map_or(String::new(), |index| format!(" + {index}[{lane}]"));
                    format!("{region}1({at} + {}{displaced})", step * lane)
                };
                format!("U({})", [0, 1, 2, 3].map(lane).join(", "))
            }
        }
    }

    /// The text of a value read as words.
    fn typed(dtype: DType, words: &str) -> String {
        match dtype {
            DType::F32 => format!("bitcast<F>({words})"),
            DType::I32 => format!("bitcast<I>({words})"),
            DType::Bool => format!("({words} != U(0u))"),
        }
    }

    /// Elements between index 0 and this one.
    fn displacement(index: ValueId, stride: i64, limit: usize) -> String {
        format!("(clamp(v{index}, I(0), I({})) * I({stride}))", limit as i64 - 1)
    }

    /// The statement that computes an instruction.
    ///
    /// # Errors
    /// An op that has no code here.
    pub fn instruction(&self, id: ValueId) -> Result<String> {
        let text = match &self.kernel.body[id] {
            Inst::Const(Literal::F32(v)) => float(*v),
            Inst::Const(Literal::I32(v)) => format!("bitcast<I>(U({}u))", *v as u32),
            Inst::Const(Literal::Bool(v)) => format!("B({v})"),
            Inst::Index(at) => match self.step(at) {
                0 => format!("I({})", self.affine(at)),
                step => format!("I({}) + I(0, {step}, {}, {})", self.affine(at), 2 * step, 3 * step),
            },
            Inst::Load(access, _) if self.given == Some(access.param) => "given_".to_string(),
            Inst::Load(access, dtype) => Body::typed(*dtype, &self.words(access, None)),
            Inst::LoadAt { access, index, stride, limit, dtype } => {
                let name = format!("d{id}");
                let words = self.words(access, Some(&name));
                let displacement = Body::displacement(*index, *stride, *limit);
                return Ok(format!("let {name} = {displacement};\nlet v{id} = {};\n", Body::typed(*dtype, &words)));
            }
            Inst::Rng { stream, key, at } => self.uniform(*stream, key, at),
            Inst::Cast(from, to, a) => cast(*from, *to, *a),
            Inst::Unary(op, dtype, a) => unary(*op, *dtype, *a)?,
            Inst::Binary(op, dtype, a, b) => binary(*op, *dtype, *a, *b)?,
            Inst::Fma(a, b, c) => format!("fma(v{a}, v{b}, v{c})"),
            Inst::Select(_, c, a, b) => format!("select(v{b}, v{a}, v{c})"),
        };
        Ok(format!("let v{id} = {text};\n"))
    }

    fn uniform(&self, stream: u32, key: &[ValueId; 4], at: &Affine) -> String {
        let word = |k: ValueId| if self.wide() { format!("u32(v{k}.x)") } else { format!("u32(v{k})") };
        let [seed_low, seed_high, step, turn] = key.map(word);
        let block = |element: &str| {
            format!("philox(vec4<u32>(u32({element}) >> 2u, {step}, {turn}, {stream}u), vec2<u32>({seed_low}, {seed_high}))")
        };
        let first = self.affine(at);
        let stride = self.step(at);
        let others = at.coefs.iter().enumerate().filter(|(k, _)| self.kernel.vector != Some(*k));
        let aligned = stride == 1 && at.offset % 4 == 0 && others.into_iter().all(|(_, c)| c % 4 == 0);
        let word = |lane: i64| {
            let element = format!("({first} + {})", stride * lane);
            format!("{}[u32({element}) & 3u]", block(&element))
        };
        match (self.wide(), aligned) {
            (true, true) => format!("uniform_({})", block(&format!("({first})"))),
            (true, false) if stride != 0 => format!("uniform_(U({}))", [0, 1, 2, 3].map(word).join(", ")),
            _ => format!("uniform_(U({}))", word(0)),
        }
    }

    /// The statements of a store.
    pub fn store(&self, store: &Store, number: usize) -> String {
        let dtype = self.kernel.body[store.value].dtype();
        let mut text = String::new();
        let index = store.index.map(|(index, stride, limit)| {
            text += &format!("let s{number} = {};\n", Body::displacement(index, stride, limit));
            format!("s{number}")
        });
        text + &self.write(&store.access, index.as_deref(), &format!("v{}", store.value), dtype, store.mode)
    }

    /// The statements that write a value to a place.
    pub fn write(&self, access: &Access, index: Option<&str>, value: &str, dtype: DType, mode: StoreMode) -> String {
        let region = self.layout.region(access.param).letter();
        let (at, step) = (self.address(access), self.step(&access.at));
        let words = match dtype {
            DType::Bool => bool_word(value),
            _ => format!("bitcast<U>({value})"),
        };
        let one = |at: &str, lane: &str| match mode {
            StoreMode::Set => format!("{region}1_set({at}, {words}{lane});\n"),
            StoreMode::Add => {
                format!("{region}1_set({at}, bitcast<u32>(bitcast<f32>({region}1({at})) + {value}{lane}));\n")
            }
        };
        if !self.wide() {
            return one(&index.map_or(at.clone(), |index| format!("{at} + {index}")), "");
        }
        let vector = Body::aligned(self.kernel, access, self.layout.aligned[access.param]);
        if index.is_none() && mode == StoreMode::Set && vector {
            return format!("{region}4_set({at}, {words});\n");
        }
        let lane = |lane: i64| {
            let displaced = index.map_or(String::new(), |index| format!(" + {index}[{lane}]"));
            one(&format!("{at} + {}{displaced}", step * lane), &format!("[{lane}]"))
        };
        [0, 1, 2, 3].map(lane).concat()
    }
}

fn cast(from: DType, to: DType, a: ValueId) -> String {
    match (from, to) {
        (DType::Bool, DType::F32) => format!("select(F(0.0), F(1.0), v{a})"),
        (DType::Bool, DType::I32) => format!("select(I(0), I(1), v{a})"),
        (DType::I32, DType::F32) => format!("F(v{a})"),
        (DType::F32, DType::I32) => format!("integer_(v{a})"),
        (DType::I32, DType::Bool) => format!("v{a} != I(0)"),
        (DType::F32, DType::Bool) => format!("v{a} != F(0.0)"),
        _ => format!("v{a}"),
    }
}

fn without_code(op: OpKind) -> Error {
    Error::codegen(format!("there is no code for {}", op.name()))
}

fn unary(op: OpKind, dtype: DType, a: ValueId) -> Result<String> {
    let function = match op {
        OpKind::Neg if dtype == DType::F32 => return Ok(format!("-v{a}")),
        OpKind::Neg => return Ok(format!("I(0) - v{a}")),
        // Only differentiation sees it.
        OpKind::StopGrad | OpKind::Hold => return Ok(format!("v{a}")),
        OpKind::Floor => "floor",
        OpKind::Sqrt => "sqrt",
        OpKind::Sign => "sign_",
        OpKind::Exp => "exp_",
        OpKind::Log => "log_",
        OpKind::Sin => "sin_",
        OpKind::Tanh => "tanh_",
        OpKind::Softplus => "softplus_",
        op => return Err(without_code(op)),
    };
    Ok(format!("{function}(v{a})"))
}

fn binary(op: OpKind, dtype: DType, a: ValueId, b: ValueId) -> Result<String> {
    Ok(match (op, dtype) {
        (OpKind::Add, _) => format!("v{a} + v{b}"),
        (OpKind::Mul, _) => format!("v{a} * v{b}"),
        (OpKind::Div, _) => format!("v{a} / v{b}"),
        (OpKind::Lt, _) => format!("v{a} < v{b}"),
        (OpKind::Eq, _) => format!("v{a} == v{b}"),
        (OpKind::Max, DType::F32) => format!("max_(v{a}, v{b})"),
        (OpKind::Max, _) => format!("max(v{a}, v{b})"),
        (op, _) => return Err(without_code(op)),
    })
}
