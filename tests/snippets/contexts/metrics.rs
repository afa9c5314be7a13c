// Evaluation of the front page's model.
// the first snippet of README.md

fn evaluate(
    gan: &mut Dcgan,
    (real, generated, training, held_out): (Tensor, Tensor, Tensor, Tensor),
    (real_features, features, probabilities): (Tensor, Tensor, Tensor),
) -> saddlepoint::Result<()> {
    // the snippet
    Ok(())
}
