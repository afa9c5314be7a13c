// State dicts of the front page's model.
// the first snippet of README.md

fn exchange(gan: &mut Dcgan) -> saddlepoint::Result<()> {
    // the snippet
    Ok(())
}
