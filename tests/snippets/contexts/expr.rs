// A Rust function over the compiler's expressions.
use saddlepoint::prelude::*;

// the snippet
