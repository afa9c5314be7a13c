//! PyTorch state dicts: nets that load them give PyTorch's results, and what is written back is what was read.
//!
//! `fixtures/torch_w3` and `fixtures/torch_layers` were made by PyTorch, with the scripts beside them; `make_torch_w3.py --check`
//! loads what this library writes.

use saddlepoint::prelude::*;
use saddlepoint::{Error, Model};
use safetensors::{Dtype, SafeTensors};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

gan! {
    /// The DCGAN of the workloads.
    pub model Dcgan {
        data  x: [1, 28, 28];
        noise z: normal([64]);
        net G(z: [64]) -> [1, 28, 28] {
            z.dense(64 * 7 * 7).reshape([64, 7, 7]).batch_norm().relu()
                .conv_transpose(32, kernel = 4, stride = 2, pad = 1).batch_norm().relu()
                .conv_transpose(1, kernel = 4, stride = 2, pad = 1).tanh()
        }
        net D(x: [1, 28, 28]) -> [1] {
            x.conv(32, kernel = 4, stride = 2, pad = 1).leaky_relu(0.2)
                .conv(64, kernel = 4, stride = 2, pad = 1).batch_norm().leaky_relu(0.2)
                .flatten().dense(1)
        }
        player D minimizes { E[softplus(-D(x))] + E[softplus(D(G(z)))] }
        player G minimizes { E[softplus(-D(G(z)))] }
        train { D, G: adam(2e-4, beta1 = 0.5); }
        output draw(z: [64]) = G(z);
        output score(x) = D(x);
    }
}

gan! {
    /// The layers that the DCGAN does not have.
    pub model Layers {
        data s: [4, 12];
        data p: [4, 6, 6];
        data y: class(5);
        net Sequence(x: [4, 12]) -> [3] {
            x.conv(6, kernel = 3, pad = 1, groups = 2).batch_norm().prelu()
                .conv(8, kernel = 3, stride = 2, pad = 2, dilation = 2, bias = false).instance_norm().layer_norm()
                .flatten().dense(3, bias = false)
        }
        #[ema(0.5)]
        net Embedding(y: class(5)) -> [4] { y.embed(4) }
        net Pictures(x: [4, 6, 6]) -> [2] {
            x.conv(8, kernel = 3, pad = 1, groups = 4).batch_norm().relu()
                .conv(8, kernel = 3, pad = 1, groups = 2).batch_norm().relu()
                .conv_transpose(3, kernel = 3, stride = 2, pad = 1, output_pad = 1).tanh()
                .flatten().repeat(12, |h| h.dense(5)).dense(2)
        }
        player All updates (Sequence, Embedding, Pictures) minimizes {
            E[square(Sequence(s))] + E[square(Embedding(y))] + E[square(Pictures(p))]
        }
        train { All: sgd(0.01); }
        output sequence(x: [4, 12]) = Sequence(x);
        output embedding(y) = Embedding(y);
        output pictures(x: [4, 6, 6]) = Pictures(x);
    }
}

fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures").join(name)
}

/// Every entry of a file: type, shape and bytes.
fn entries(path: &Path) -> BTreeMap<String, (Dtype, Vec<usize>, Vec<u8>)> {
    let bytes = std::fs::read(path).expect("a readable file");
    let parsed = SafeTensors::deserialize(&bytes).expect("a safetensors file");
    parsed.iter().map(|(name, v)| (name.to_string(), (v.dtype(), v.shape().to_vec(), v.data().to_vec()))).collect()
}

/// The f32 entry of a file.
fn tensor(path: &Path, name: &str) -> Tensor {
    let (dtype, shape, bytes) = entries(path).remove(name).expect("an entry of this name");
    assert_eq!(dtype, Dtype::F32);
    let values = bytes.as_chunks::<4>().0.iter().map(|word| f32::from_le_bytes(*word)).collect();
    Tensor::new(shape, values).expect("as many values as the shape says")
}

/// The largest difference, relative where values are larger than 1.
fn difference(found: &Tensor, wanted: &Tensor) -> f32 {
    assert_eq!(found.shape(), wanted.shape());
    let pairs = found.as_slice().iter().zip(wanted.as_slice());
    pairs.map(|(f, w)| (f - w).abs() / w.abs().max(1.0)).fold(0.0, f32::max)
}

fn dcgan() -> Dcgan {
    Dcgan::build(Config::new().batch(8).seed(3).workers(2)).expect("the model builds")
}

fn layers() -> Layers {
    Layers::build(Config::new().batch(4).seed(3).workers(1)).expect("the model builds")
}

/// The message of a refusal, with all of these words.
fn refused<T: std::fmt::Debug>(result: saddlepoint::Result<T>, words: &[&str]) {
    let error = result.expect_err("it is refused");
    assert!(matches!(error, Error::StateDict { .. }), "{error:?}");
    let message = error.to_string();
    words.iter().for_each(|word| assert!(message.contains(word), "`{word}` is not in: {message}"));
}

fn written(name: &str, arrays: &[(&str, &[usize], Vec<f32>)], folder: &Path) -> PathBuf {
    let bytes: Vec<Vec<u8>> = arrays.iter().map(|(_, _, v)| v.iter().flat_map(|v| v.to_le_bytes()).collect()).collect();
    let view = |((name, shape, _), bytes): (&(&str, &[usize], Vec<f32>), _)| {
        (name.to_string(), safetensors::tensor::TensorView::new(Dtype::F32, shape.to_vec(), bytes).expect("a view"))
    };
    let path = folder.join(name);
    let file = safetensors::serialize(arrays.iter().zip(&bytes).map(|(a, b)| view((a, b.as_slice()))), None);
    std::fs::write(&path, file.expect("a file")).expect("a writable folder");
    path
}

#[test]
fn weights_of_pytorch_give_its_pictures_and_go_back_unchanged() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    // A place of one's own keeps what was written for `make_torch_w3.py --check`.
    let place = std::env::var_os("SADDLEPOINT_TORCH_OUT").map_or(folder.path().to_path_buf(), PathBuf::from);
    let expected = fixture("torch_w3/expected.safetensors");
    let mut gan = dcgan();
    for (net, file) in [(DcganNet::G, "g.safetensors"), (DcganNet::D, "d.safetensors")] {
        let from = fixture("torch_w3").join(file);
        let names = gan.load_torch(net, &from, &TorchNames::by_order()).expect("the state dict fits");
        let to = place.join(file);
        gan.save_torch(net, &to, &names).expect("it is written");
        assert!(entries(&to) == entries(&from), "{file} did not come back as it was");
    }
    let images = gan.draw(&tensor(&expected, "z")).expect("pictures");
    let far = difference(&images, &tensor(&expected, "images"));
    println!("pictures differ from PyTorch's by {far:e} at most");
    assert!(far <= 1e-5, "pictures differ by {far:e}");
    for (input, scores) in [(images, "scores.fake"), (tensor(&expected, "x"), "scores.real")] {
        let far = difference(&gan.score(&input).expect("scores"), &tensor(&expected, scores));
        println!("{scores} differ from PyTorch's by {far:e} at most");
        assert!(far <= 1e-5, "{scores} differ by {far:e}");
    }
    // What was loaded trains.
    let x = tensor(&expected, "x").into_vec()[..8 * 28 * 28].to_vec();
    gan.step(&[DcganBatch { x: Tensor::new([8, 1, 28, 28], x).expect("eight pictures") }]).expect("a step");
    assert!(gan.metrics().expect("losses").D.is_finite());
}

#[test]
fn the_names_that_were_found_can_be_read() {
    let names =
        dcgan().load_torch(DcganNet::D, fixture("torch_w3/d.safetensors"), &TorchNames::by_order()).expect("it fits");
    let pairs: Vec<(&str, &str)> = names.as_pairs().iter().map(|(m, l)| (m.as_str(), l.as_str())).collect();
    assert_eq!(pairs, [("0", "conv_0"), ("2", "conv_1"), ("3", "batch_norm_0"), ("6", "dense_0")]);
}

#[test]
fn layers_of_every_kind_agree_with_pytorch() {
    let mut model = layers();
    let place = fixture("torch_layers");
    let expected = place.join("expected.safetensors");
    let order = TorchNames::by_order();
    // Attributes in any order, told apart by their shapes; conv1, bn1, conv2, …; a module that is its own state dict.
    for (net, file) in [
        (LayersNet::Sequence, "sequence.safetensors"),
        (LayersNet::Pictures, "pictures.safetensors"),
        (LayersNet::Embedding, "embedding.safetensors"),
    ] {
        let names = model.load_torch(net, place.join(file), &order).unwrap_or_else(|error| panic!("{error}"));
        let folder = tempfile::tempdir().expect("a temporary folder");
        let back = folder.path().join(file);
        model.save_torch(net, &back, &names).expect("it is written");
        // These modules were never trained: their counters say 0, as this model's steps do.
        assert!(entries(&back) == entries(&place.join(file)), "{file} did not come back as it was");
    }
    let (_, _, classes) = entries(&expected).remove("embedding.in").expect("classes");
    let classes = classes.as_chunks::<4>().0.iter().map(|w| i32::from_le_bytes(*w)).collect();
    let classes = Classes::new([4], 5, classes).expect("classes");
    let sequence = model.sequence(&tensor(&expected, "sequence.in")).expect("a result");
    let pictures = model.pictures(&tensor(&expected, "pictures.in")).expect("a result");
    // Through the average, which starts anew at what was loaded.
    let embedding = model.embedding(&classes).expect("a result");
    for (name, found) in [("sequence.out", sequence), ("pictures.out", pictures), ("embedding.out", embedding)] {
        let far = difference(&found, &tensor(&expected, name));
        println!("{name} differs from PyTorch's by {far:e} at most");
        assert!(far <= 1e-5, "{name} differs by {far:e}");
    }
}

#[test]
fn own_names_prefixes_and_averages() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path().join("whole gan ü.safetensors");
    let mut model = layers();
    let embedding = fixture("torch_layers/embedding.safetensors");
    let table = tensor(&embedding, "weight");
    let twice: Vec<f32> = table.as_slice().iter().map(|v| 2.0 * v).collect();
    model.load_torch(LayersNet::Embedding, &embedding, &TorchNames::by_order()).expect("it fits");
    model
        .set_parameter("Embedding.embed_0.weight", &Tensor::new([5, 4], twice.clone()).expect("a tensor"))
        .expect("it fits");
    let own = TorchNames::by_order();
    model.save_torch(LayersNet::Embedding, &path, &own.clone().prefix("e.")).expect("it is written");
    assert_eq!(tensor(&path, "e.embed_0.weight").as_slice(), twice);
    model.save_torch(LayersNet::Embedding, &path, &own.clone().averages()).expect("it is written");
    assert_eq!(tensor(&path, "embed_0.weight").as_slice(), table.as_slice());
    refused(model.save_torch(LayersNet::Pictures, &path, &own.clone().averages()), &["`Pictures` keeps no averages"]);
    // A file with more in it than the net.
    let more: [(&str, &[usize], Vec<f32>); 3] =
        [("gen.0.weight", &[5, 4], twice.clone()), ("gen.old.w", &[1], vec![1.0]), ("dis.0.weight", &[1], vec![1.0])];
    let path = written("more", &more, folder.path());
    let order = TorchNames::by_order().prefix("gen.");
    refused(model.load_torch(LayersNet::Embedding, &path, &order), &["`old.w` [1]", "TorchNames::skip"]);
    let names = model.load_torch(LayersNet::Embedding, &path, &order.skip("old.")).expect("it fits");
    model.save_torch(LayersNet::Embedding, &path, &names).expect("it is written");
    assert_eq!(entries(&path).keys().collect::<Vec<_>>(), ["gen.0.weight"]);
    refused(model.load_torch(LayersNet::Embedding, &path, &own.prefix("other.")), &["`other.`", "`gen.0.weight`"]);
}

#[test]
fn a_state_dict_that_does_not_fit_changes_nothing() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let (before, after) = (folder.path().join("before"), folder.path().join("after"));
    let mut gan = dcgan();
    gan.save(&before).expect("it is written");
    let order = TorchNames::by_order();
    let d = fixture("torch_w3/d.safetensors");
    // The other net's file: both names, both shapes.
    let words = ["`0.weight` is [32, 1, 4, 4]", "`G.dense_0.weight` is [3136, 64]", "d.safetensors"];
    refused(gan.load_torch(DcganNet::G, &d, &order), &words);
    // A pickle, a checkpoint of this library, a cut file.
    let pickle = folder.path().join("g.pt");
    std::fs::write(&pickle, b"PK\x03\x04archive/data.pkl").expect("a writable folder");
    refused(gan.load_torch(DcganNet::G, &pickle, &order), &["g.pt", "weights_only=True", "safetensors"]);
    refused(gan.load_torch(DcganNet::G, &before, &order), &["checkpoint of saddlepoint's", "`load`"]);
    let whole = std::fs::read(&d).expect("the fixture");
    let cut = folder.path().join("cut");
    std::fs::write(&cut, &whole[..whole.len() - 1]).expect("a writable folder");
    refused(gan.load_torch(DcganNet::D, &cut, &order), &["cut", "no whole safetensors file"]);
    assert!(matches!(gan.load_torch(DcganNet::D, folder.path().join("absent"), &order), Err(Error::Io { .. })));
    // One value that is none.
    let nan: [(&str, &[usize], Vec<f32>); 1] = [("weight", &[5, 4], vec![f32::NAN; 20])];
    let path = written("nan", &nan, folder.path());
    refused(layers().load_torch(LayersNet::Embedding, &path, &order), &["`weight` holds NaN"]);
    gan.save(&after).expect("it is written");
    assert!(
        std::fs::read(&before).expect("a file") == std::fs::read(&after).expect("a file"),
        "a refused file changed the model"
    );
}

#[test]
fn a_net_that_cannot_be_written_leaves_the_old_file() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path().join("e.safetensors");
    let mut model = layers();
    let order = TorchNames::by_order();
    model.save_torch(LayersNet::Embedding, &path, &order).expect("it is written");
    let before = std::fs::read(&path).expect("a file");
    let wrong = TorchNames::pairs([("table", "embed_1")]);
    refused(model.save_torch(LayersNet::Embedding, &path, &wrong), &["`Embedding.embed_1`", "`table`"]);
    refused(model.save_torch(LayersNet::Sequence, &path, &TorchNames::pairs([("a", "conv_0")])), &["give no entry to"]);
    let twice = TorchNames::pairs([("a", "conv_0"), ("a", "conv_1")]);
    refused(model.save_torch(LayersNet::Sequence, &path, &twice), &["`a.weight`", "something else"]);
    let nan = Tensor::new([5, 4], vec![f32::NAN; 20]).expect("a tensor");
    model.set_parameter("Embedding.embed_0.weight", &nan).expect("it fits");
    refused(model.save_torch(LayersNet::Embedding, &path, &order), &["`Embedding.embed_0.weight` holds NaN"]);
    assert!(std::fs::read(&path).expect("a file") == before);
}
