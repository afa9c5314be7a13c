//! How far a graph is optimised, and where the search stops: by counts, never by time.

use super::cost::Rates;

/// Which stages run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// Only dead code goes: the program as it was written.
    Off,
    /// What any graph compiler does: dead code, common subexpressions, constants folded, masks pruned; and stabilisation.
    GraphRules,
    /// All rules that always pay.
    Directed,
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
    /// Whether shared-weight batching is tried.
    pub batching: bool,
    /// Rounds of equality saturation.
    pub iterations: usize,
    /// Saturation ends when the e-graph has grown by this many nodes.
    pub nodes: usize,
    /// Single choices that the extraction tries.
    pub moves: usize,
    /// Whether rules apply that hold for real numbers and not for every float: [`rules::fast`](super::rules::fast).
    pub fast: bool,
    /// What programs are compared by.
    pub rates: Rates,
}

impl Default for Options {
    fn default() -> Options {
        Options {
            level: Level::Full,
            rounds: 8,
            batching: true,
            iterations: 4,
            nodes: 8_000,
            moves: 4_000,
            fast: false,
            rates: Rates::CPU,
        }
    }
}

impl Level {
    /// Every level, the least first.
    pub const ALL: [Level; 4] = [Level::Off, Level::GraphRules, Level::Directed, Level::Full];

    /// As tables and command lines name it.
    pub fn name(self) -> &'static str {
        match self {
            Level::Off => "off",
            Level::GraphRules => "graph rules",
            Level::Directed => "directed",
            Level::Full => "full",
        }
    }
}

impl Options {
    /// The default limits at another level.
    pub fn at(level: Level) -> Options {
        Options { level, ..Options::default() }
    }
}
