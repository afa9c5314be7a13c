//! What the macro says of divergences.

use super::said;

/// What is said of a model with this divergence and these terms of an objective.
fn of(items: &str, value: &str) -> Vec<String> {
    let model = format!(
        "pub model M {{\ndata x: [2];\n{items}\nnet V(x: [2]) -> [1] {{ x.dense(1) }}\nplayer V minimizes {{ {value} }}\n\
         train {{ V: sgd(0.1); }}\n}}"
    );
    said(&model.parse().expect("tokens"))
}

fn accepted(items: &str, value: &str) {
    assert_eq!(of(items, value), Vec::<String>::new(), "{items}");
}

fn refused(items: &str, value: &str, message: &str) {
    assert_eq!(of(items, value), [message], "{items}");
}

const BOUND: &str = "d.bound(V(x), V(x))";

#[test]
fn what_is_derived_is_accepted() {
    accepted("divergence d(u) = u * ln(u);", "d.bound(V(x), V(x)) + E[d.conjugate(V(x)) > d.threshold()] + E[d(exp(V(x)))]");
    accepted("fn own(u) { let r = sqrt(u); square(r - 1) } divergence d(u) = own(u);", BOUND);
    accepted("const P: f32 = 0.25; divergence d(u) = if P > 0.5 { u * ln(u) } else { -ln(u) };", BOUND);
    // Derived when the model is built.
    accepted("const P: f32; divergence d(u) = P * u * ln(u);", BOUND);
    accepted("divergence d(u) = max(u * ln(u), 0.0 - 0.1) + relu(0.5 - u);", BOUND);
    // A hyper is nothing to derive from, but needs nothing derived here.
    accepted(
        "hyper h: f32 = 1.0; divergence d(u) = h * square(u - 1), conjugate = |t| t * t / (4 * h) + t, activation = |v| v;",
        BOUND,
    );
}

/// The conjugate is found however f is written.
#[test]
fn ways_of_writing_f_do_not_matter() {
    for f in [
        "-(u + 1.0) * ln((1.0 + u) / 2.0) + u * ln(u)",
        "u * ln(2 * u / (1 + u)) + ln(2 / (1 + u))",
        "u * ln(u) - (u + 1) * ln(0.5 * (u + 1))",
        "-ln(u + 1) - u * ln((u + 1) / u)",
        "u * ln(u / (1 + u)) - ln(1 + u)",
        "P * u * ln(u) - (1.0 - P + P * u) * ln(1.0 - P + P * u)",
        "P * u * ln(u / (P * u + 1 - P)) - (1 - P) * ln(P * u + 1 - P)",
        "u * ln(u) - ln(u)",
        "(u - 1) * ln(u)",
        "(1 - u) * -ln(u)",
        "pow(u, 0.5) * -2 + u + 1",
        "square(1 - sqrt(u))",
        "2 - 2 * sqrt(u)",
        "square(1 - u) / u",
        "1 / u - 2 + u",
        "pow(u, -1) - 1",
        "max(u, 1) - 0.5 * (u + 1)",
        "0.5 * max(u - 1, 1 - u)",
        "select(u < 1, 0.5 * (1 - u), 0.5 * (u - 1))",
        "relu(1 - u)",
        "u * ln(u) - u + 1",
        "square(u) - 2 * u + 1",
        "square(u - 1) / (u + 1)",
        "(pow(u, 1.5) - 1.5 * u + 0.5) / 0.75",
        "ln(1 / u)",
        "softplus(u)",
        "exp(u - 1) - u",
    ] {
        accepted(&format!("const P: f32 = 0.3; divergence d(u) = {f};"), "E[d.conjugate(V(x))] + d.bound(V(x), V(x))");
    }
}

#[test]
fn what_is_no_divergence_is_refused_at_its_name() {
    refused(
        "divergence d(u) = ln(u);",
        BOUND,
        "3:12 `d` is no divergence: f is not convex: f″ < 0 for u in (0, ∞); `d(u)` must be convex for u > 0",
    );
    refused(
        "divergence d(r) = square(r - 1) * square(r - 3);",
        BOUND,
        "3:12 `d` is no divergence: f is not convex: f″ < 0 for r in (1.42, 2.58); `d(r)` must be convex for r > 0",
    );
    refused(
        "divergence d(u) = 3 * (u - 1);",
        BOUND,
        "3:12 `d` is no divergence: f is a straight line: its divergence is the same for all distributions; `d(u)` must be \
         convex for u > 0",
    );
}

#[test]
fn what_cannot_be_derived_asks_for_it() {
    let unsolved = "divergence d(u) = u * ln(u) + square(u) + pow(u, 3);";
    accepted(unsolved, BOUND);
    refused(
        unsolved,
        "E[d.conjugate(V(x))]",
        "5:26 f* of the divergence `d` cannot be derived: f′(u) = t is not solved for u in closed form; give it: `divergence \
         d(u) = …, conjugate = |t| …, activation = |v| …;`",
    );
    refused(
        "divergence d(u) = u * ln(u) + 0.1 * u * sin(u);",
        "E[d.conjugate(V(x))]",
        "5:26 f* of the divergence `d` cannot be derived: f uses a function that is not transformed; give it: `divergence d(u) = \
         …, conjugate = |t| …, activation = |v| …;`",
    );
}

#[test]
fn mistakes_in_the_use_of_a_divergence_are_said() {
    refused("divergence d(u) = u * ln(v);", BOUND, "3:26 nothing called `v` is declared here");
    refused(
        "divergence d(u) = u * ln(u);",
        "d.bond(V(x), V(x))",
        "5:24 a divergence has no `bond` (did you mean `bound`?); it has `conjugate(t)`, `activation(v)`, `threshold()` and \
         `bound(p, q)`",
    );
    let circle = "this divergence is defined by itself; write a formula";
    let said = of("divergence d(u) = u * c(u); divergence c(u) = d(u);", BOUND);
    assert_eq!(said, [format!("3:23 {circle}"), format!("3:47 {circle}")]);
    refused("divergence d(u) = u * ln(u);", "d.bound(V(x))", "5:24 `bound(p, q)` of a divergence takes 2 arguments, got 1");
}
