// The model of the front page, and its generated types and methods.
// the first snippet of README.md
use saddlepoint::{Model, Result};

// what the snippet declares
