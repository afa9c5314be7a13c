//! What a user says about the names in a state dict.

use std::collections::BTreeMap;

/// Which module of a PyTorch state dict is which layer of a net.
///
/// `load_torch` returns the names that it found, for `save_torch` to write the same ones:
///
/// ```text
/// let names = gan.load_torch(DcganNet::G, "g.safetensors", &TorchNames::by_order())?;
/// gan.save_torch(DcganNet::G, "back.safetensors", &names)?;      // load_state_dict(load_file("back.safetensors"), strict=True)
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TorchNames {
    pub(crate) pairs: Vec<(String, String)>,
    pub(crate) prefix: String,
    pub(crate) skipped: Vec<String>,
    pub(crate) averages: bool,
    /// Counters of batches as they were read, by the entry's name without the prefix.
    pub(crate) tracked: BTreeMap<String, i64>,
}

impl TorchNames {
    /// Modules and layers correspond in order, and their kinds and shapes are checked. The order of modules is that of the
    /// numbers in their names (`0`, `2`, `10`; `main.0`, `main.3`; `fc1`, `fc2`). Where names are no mere numbering, modules go
    /// to the layers with their parts and shapes; if several could, the file is refused and [`TorchNames::pairs`] decides.
    ///
    /// For saving: this library's own names, such as `dense_0.weight`.
    pub fn by_order() -> TorchNames {
        TorchNames::default()
    }

    /// Each module with its layer, such as `("fc", "dense_0")`. A single entry can be given with a single parameter:
    /// `("slope", "prelu_0.weight")`.
    pub fn pairs<M: Into<String>, L: Into<String>>(pairs: impl IntoIterator<Item = (M, L)>) -> TorchNames {
        let pairs = pairs.into_iter().map(|(module, layer)| (module.into(), layer.into())).collect();
        TorchNames { pairs, ..TorchNames::default() }
    }

    /// Takes and writes only entries whose names begin so, such as `generator.`, in the state dict of something larger.
    #[must_use]
    pub fn prefix(mut self, prefix: impl Into<String>) -> TorchNames {
        self.prefix = prefix.into();
        self
    }

    /// Leaves out entries whose names, after the prefix, begin so: what the file has and the net does not.
    #[must_use]
    pub fn skip(mut self, beginning: impl Into<String>) -> TorchNames {
        self.skipped.push(beginning.into());
        self
    }

    /// Saves the averages of an `#[ema]` net, as its outputs use them, instead of the live parameters.
    #[must_use]
    pub fn averages(mut self) -> TorchNames {
        self.averages = true;
        self
    }

    /// The modules with their layers: all of them, in what `load_torch` returns.
    pub fn as_pairs(&self) -> &[(String, String)] {
        &self.pairs
    }
}
