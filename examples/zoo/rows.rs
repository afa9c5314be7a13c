//! The rows of the table: what is run for each system, and what its figures stand beside.

/// One command of a row: an example and its arguments.
pub struct Run {
    /// The example.
    pub example: &'static str,
    /// Its arguments, without the folder.
    pub arguments: &'static [&'static str],
    /// The part of the run folder whose last samples are the row's picture, and the output; empty for none.
    pub picture: (&'static str, &'static str),
}

/// A row.
pub struct Row {
    /// Its number in the list of systems, docs/systems.md.
    pub number: u32,
    /// What it is called.
    pub system: &'static str,
    /// The objective in one line.
    pub objective: &'static str,
    /// What it is trained on.
    pub data: &'static str,
    /// Published figures, with where they are from; empty for none.
    pub published: &'static str,
    /// What is run.
    pub runs: &'static [Run],
}

const fn run(example: &'static str, arguments: &'static [&'static str]) -> Run {
    Run { example, arguments, picture: ("", "") }
}

/// All of them, in order.
pub const ROWS: &[Row] = &[
    Row {
        number: 4,
        system: "discriminator alone (energy model)",
        objective: "max over D of E D(x) − E D(x̃), x̃ where D is highest",
        data: "ring of 8 Gaussians, 64×64 grid",
        published: "",
        runs: &[run("energy", &[])],
    },
    Row {
        number: 5,
        system: "GAN, saturating",
        objective: "min over G, max over D of E ln D(x) + E ln(1 − D(G(z)))",
        data: "two Gaussians on the line; ring of 8",
        published: "max V = −2 ln 2 + 2 JSD (Goodfellow et al. 2014, theorem 1)",
        runs: &[run("gan_theory", &[])],
    },
];
