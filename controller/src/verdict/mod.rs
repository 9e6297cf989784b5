//! A verdict is what Brickline concludes from a finished notebook run: pure reading, no I/O.
pub mod markup;
