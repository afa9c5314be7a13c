//! How far a graph is optimised, and where the search stops: by counts, never by time.

/// Which stages run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// Only dead code goes: the program as it was written.
    Off,
    /// The rules that always pay, and stabilisation.
    GraphRules,
    /// Also equality saturation.
    Full,
}

/// Options of [`optimise`](super::optimise).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Options {
    /// Which stages run.
    pub level: Level,
    /// Rounds of the graph rules; they usually end after two or three.
    pub rounds: usize,
    /// Rounds of equality saturation.
    pub iterations: usize,
    /// Saturation ends when the e-graph has grown by this many nodes.
    pub nodes: usize,
    /// Single choices that the extraction tries.
    pub moves: usize,
}

impl Default for Options {
    fn default() -> Options {
        Options { level: Level::Full, rounds: 8, iterations: 4, nodes: 8_000, moves: 4_000 }
    }
}

impl Options {
    /// The default limits at another level.
    pub fn at(level: Level) -> Options {
        Options { level, ..Options::default() }
    }
}
