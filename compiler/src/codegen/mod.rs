//! (stage codegen)
