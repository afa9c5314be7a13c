//! NumPy's arrays.

use super::super::npy;
use super::{folder, refused};
use crate::tensor::{Classes, Tensor};

/// A file of version 1 with this header and content.
fn file(header: &str, content: &[u8]) -> Vec<u8> {
    let mut file = b"\x93NUMPY\x01\x00".to_vec();
    file.extend((header.len() as u16).to_le_bytes());
    file.extend(header.as_bytes());
    file.extend(content);
    file
}

fn array(element: &str, fortran: bool, shape: &str, content: &[u8]) -> Vec<u8> {
    let fortran = if fortran { "True" } else { "False" };
    file(&format!("{{'descr': '{element}', 'fortran_order': {fortran}, 'shape': {shape}, }}   \n"), content)
}

fn bytes<const N: usize, T>(values: &[T], each: impl Fn(&T) -> [u8; N]) -> Vec<u8> {
    values.iter().flat_map(each).collect()
}

#[test]
fn every_element_type_reads_as_numbers() {
    let read = |element, content: Vec<u8>| Tensor::from_npy(&array(element, false, "(3,)", &content)).unwrap().into_vec();
    assert_eq!(read("<f4", bytes(&[1.5f32, -2.0, 3e8], |v| v.to_le_bytes())), [1.5, -2.0, 3e8]);
    assert_eq!(read(">f4", bytes(&[1.5f32, -2.0, 3e8], |v| v.to_be_bytes())), [1.5, -2.0, 3e8]);
    assert_eq!(read("<f8", bytes(&[1.5f64, -2.0, 0.1], |v| v.to_le_bytes())), [1.5, -2.0, 0.1]);
    assert_eq!(read(">f8", bytes(&[1.5f64, -2.0, 0.1], |v| v.to_be_bytes())), [1.5, -2.0, 0.1]);
    assert_eq!(read("<i8", bytes(&[1i64, -2, 1 << 40], |v| v.to_le_bytes())), [1.0, -2.0, 1099511627776.0]);
    assert_eq!(read(">i4", bytes(&[1i32, -2, 70_000], |v| v.to_be_bytes())), [1.0, -2.0, 70_000.0]);
    assert_eq!(read("<i2", bytes(&[1i16, -2, 300], |v| v.to_le_bytes())), [1.0, -2.0, 300.0]);
    assert_eq!(read("<u8", bytes(&[1u64, 2, u64::MAX], |v| v.to_le_bytes())), [1.0, 2.0, u64::MAX as f32]);
    assert_eq!(read("<u4", bytes(&[1u32, 2, u32::MAX], |v| v.to_le_bytes())), [1.0, 2.0, u32::MAX as f32]);
    assert_eq!(read(">u2", bytes(&[1u16, 2, 65_535], |v| v.to_be_bytes())), [1.0, 2.0, 65_535.0]);
    assert_eq!(read("|u1", vec![0, 7, 255]), [0.0, 7.0, 255.0]);
    assert_eq!(read("|i1", vec![0, 7, 255]), [0.0, 7.0, -1.0]);
    assert_eq!(read("|b1", vec![0, 1, 1]), [0.0, 1.0, 1.0]);
}

#[test]
fn c_and_fortran_order_read_alike() {
    // a[i, j, k] = 100 i + 10 j + k of shape (2, 3, 4)
    let at = |i, j, k| (100 * i + 10 * j + k) as u8;
    let mut c = Vec::new();
    (0..2).for_each(|i| (0..3).for_each(|j| (0..4).for_each(|k| c.push(at(i, j, k)))));
    let mut fortran = Vec::new();
    (0..4).for_each(|k| (0..3).for_each(|j| (0..2).for_each(|i| fortran.push(at(i, j, k)))));
    let straight = Tensor::from_npy(&array("|u1", false, "(2, 3, 4)", &c)).unwrap();
    assert_eq!(straight.shape(), [2, 3, 4]);
    assert_eq!(Tensor::from_npy(&array("|u1", true, "(2, 3, 4)", &fortran)).unwrap(), straight);
    assert_eq!(Tensor::from_npy(&array("|u1", true, "(0, 3)", &[])).unwrap().shape(), [0, 3]);
    assert_eq!(Tensor::from_npy(&array("|u1", false, "()", &[5])).unwrap(), Tensor::new([], vec![5.0]).unwrap());
}

#[test]
fn large_arrays_and_long_headers_read_to_the_end() {
    let values: Vec<f32> = (0..30_000).map(|i| i as f32).collect();
    let content = bytes(&values, |v| v.to_le_bytes());
    assert_eq!(Tensor::from_npy(&array("<f4", false, "(10000, 3)", &content)).unwrap().as_slice(), values);
    // Version 2 has a longer length; Python 2 wrote its numbers with an L; quotes may be double.
    let header = "{\"shape\": (1L, 2L), \"descr\": \"|u1\", \"fortran_order\": False}";
    let mut second = b"\x93NUMPY\x02\x00".to_vec();
    second.extend((header.len() as u32).to_le_bytes());
    second.extend(header.as_bytes());
    second.extend([8, 9]);
    assert_eq!(Tensor::from_npy(&second).unwrap(), Tensor::new([1, 2], vec![8.0, 9.0]).unwrap());
}

#[test]
fn labels_are_classes() {
    let labels = bytes(&[3i64, 0, 2], |v| v.to_le_bytes());
    let at = folder(&[("labels.npy", &array("<i8", false, "(3,)", &labels))]);
    let labels = npy(at.path().join("labels.npy")).unwrap();
    assert_eq!(labels.classes(4).unwrap().as_slice(), [3, 0, 2]);
    refused(labels.classes(3), &["row 0: expected a class in 0..3, found 3"]);
}

#[test]
fn what_is_broken_is_refused_by_file() {
    let whole = array("<f4", false, "(2, 3)", &[0; 24]);
    for length in 0..whole.len() {
        refused(Tensor::from_npy(&whole[..length]), &["the npy file: expected"]);
    }
    refused(Tensor::from_npy(&[&whole[..], &[0]].concat()), &["the elements of [2, 3], 4 bytes each, found 25 bytes"]);
    refused(Tensor::from_npy(&array("<f4", false, "(4294967296, 4294967296, 4294967296)", &[])), &["found 0 bytes"]);
    refused(Tensor::from_npy(&array("<f4", false, "(1000000000,)", &[1, 2, 3, 4])), &["found 4 bytes"]);
    refused(Tensor::from_npy(&array("<c8", false, "(1,)", &[0; 8])), &["elements of type \"<c8\""]);
    refused(Tensor::from_npy(&array("|O", false, "(1,)", &[0; 8])), &["elements of type \"|O\""]);
    refused(
        Tensor::from_npy(&array("<f8", false, "(2,)", &bytes(&[0.0f64, 1e300], |v| v.to_le_bytes()))),
        &["1e300 at element 1"],
    );
    refused(Tensor::from_npy(b"PK\x03\x04 an archive"), &["an npz archive"]);
    refused(Tensor::from_npy(b"a text of another kind"), &["found other content"]);
    refused(Tensor::from_npy(b"\x93NUMPY\x09\x00\x01\x00"), &["version 9"]);
    refused(Tensor::from_npy(b"\x93NUMPY\x01\x00\xff\xff{}"), &["a header longer than the file"]);
    let records = "{'descr': [('a', '<f4')], 'fortran_order': False, 'shape': (1,), }";
    refused(Tensor::from_npy(&file(records, &[0; 4])), &["an array of records"]);
    for header in
        ["", "{", "{'descr'}", "{'descr': '<f4'}", "{'shape': (1, x)}", "{'shape': (-1,)}", "{'a': 1}", "[1]", "{'"]
    {
        refused(Tensor::from_npy(&file(header, &[])), &["a header"]);
    }
    let at = folder(&[("cut.npy", &whole[..90])]);
    refused(npy(at.path().join("cut.npy")), &["cut.npy: expected"]);
    refused(npy(at.path().join("absent.npy")), &["absent.npy"]);
}

#[test]
fn what_is_written_reads_back() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("deep/array.npy");
    for shape in [vec![2, 3, 4], vec![5], vec![0, 7], vec![], vec![1; 30]] {
        let count = shape.iter().product();
        let values: Vec<f32> = (0..count).map(|i| i as f32 * -1.5e-7).collect();
        let tensor = Tensor::new(shape, values).unwrap();
        tensor.save_npy(&path).unwrap();
        assert_eq!(npy(&path).unwrap(), tensor);
        // The elements are aligned, as NumPy has it.
        let bytes = std::fs::read(&path).unwrap();
        assert_eq!((bytes.len() - 4 * tensor.as_slice().len()) % 64, 0);
    }
    let classes = Classes::new([3], 12, vec![0, 11, 4]).unwrap();
    classes.save_npy(&path).unwrap();
    assert_eq!(npy(&path).unwrap().classes(12).unwrap(), classes);
}
