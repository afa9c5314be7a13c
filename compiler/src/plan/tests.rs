//! Plans of small graphs.
