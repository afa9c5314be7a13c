//! The name spaces of a model (rule N2).

#[derive(Clone, Debug, Default)]
pub(crate) struct Names {}
