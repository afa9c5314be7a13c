//! Saddlepoint.
