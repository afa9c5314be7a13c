//! (stage rewrite)
