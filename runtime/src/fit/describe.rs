//! What a model says of itself for the report of its run.

/// A model in words and sizes: what it is made of, who trains what, how it was built.
#[derive(Clone, Debug, Default, PartialEq)]
#[non_exhaustive]
pub struct Description {
    /// The nets, in the model's order.
    pub nets: Vec<NetDescription>,
    /// The players, in the model's order.
    pub players: Vec<PlayerDescription>,
    /// Settings and what they are, such as the number of workers.
    pub settings: Vec<(String, String)>,
    /// Seconds that it took to build.
    pub build_seconds: Option<f64>,
    /// What the compiler made of it.
    pub explanation: String,
}

/// A net.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct NetDescription {
    /// Its name.
    pub name: String,
    /// What it takes and gives.
    pub signature: String,
    /// How many numbers players move.
    pub parameters: u64,
    /// How many running statistics of normalisations it has besides.
    pub statistics: u64,
}

/// A player.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct PlayerDescription {
    /// Its name.
    pub name: String,
    /// Whether it maximizes its objective.
    pub maximizes: bool,
    /// What it updates.
    pub updates: Vec<String>,
    /// How.
    pub optimiser: String,
    /// Inner steps of one step.
    pub steps: usize,
}
