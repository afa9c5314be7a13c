//! Makes the embedded data set from the training files of Fashion-MNIST:
//!
//! ```text
//! cargo run -p saddlepoint-runtime --example make_fashion_sample -- path/to/fashion-mnist runtime/data/fashion-sample
//! ```
//!
//! The first 600 pictures of each class are taken, in the order in which the training set has them.

use std::error::Error;
use std::fs::File;
use std::io::Write;
use std::path::Path;

use flate2::{Compression, GzBuilder};
use saddlepoint_runtime::data::idx_bytes;

/// Pictures a class.
const A_CLASS: usize = 600;

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [from, to] = &arguments[..] else { return Err("usage: make_fashion_sample FROM TO".into()) };
    let (from, to) = (Path::new(from), Path::new(to));
    let (shape, images) = idx_bytes(from.join("train-images-idx3-ubyte.gz"))?;
    let (count, labels) = idx_bytes(from.join("train-labels-idx1-ubyte.gz"))?;
    if shape != [count[0], 28, 28] {
        return Err(format!("these are not the pictures of Fashion-MNIST: {shape:?} with {count:?} labels").into());
    }
    let mut taken = [0; 10];
    let (mut pictures, mut classes) = (Vec::new(), Vec::new());
    for (picture, &class) in images.chunks_exact(28 * 28).zip(&labels) {
        let taken = taken.get_mut(usize::from(class)).ok_or("a label beyond 9")?;
        if *taken < A_CLASS {
            *taken += 1;
            pictures.extend_from_slice(picture);
            classes.push(class);
        }
    }
    let count = classes.len() as u32;
    write(&to.join("images-idx3-ubyte.gz"), &[count, 28, 28], &pictures)?;
    write(&to.join("labels-idx1-ubyte.gz"), &[count], &classes)
}

/// Writes an IDX file of bytes, packed. Its bytes depend on nothing but the content: no name, no time.
fn write(path: &Path, dimensions: &[u32], bytes: &[u8]) -> Result<(), Box<dyn Error>> {
    let mut file = GzBuilder::new().mtime(0).write(File::create(path)?, Compression::best());
    file.write_all(&[0, 0, 0x08, dimensions.len() as u8])?;
    for dimension in dimensions {
        file.write_all(&dimension.to_be_bytes())?;
    }
    file.write_all(bytes)?;
    file.finish()?.sync_all()?;
    Ok(())
}
