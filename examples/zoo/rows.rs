//! The rows of the table: what is run for each system, and what its figures stand beside.

/// One command of a row: an example and its arguments.
pub struct Run {
    /// The example.
    pub example: &'static str,
    /// Its arguments, without the folder.
    pub arguments: &'static [&'static str],
    /// The part of the run folder that the row's picture is in, and the output whose last samples it is or its file; empty for none.
    pub picture: (&'static str, &'static str),
}

/// A row.
pub struct Row {
    /// Its number in the list of systems, docs/systems.md.
    pub number: u32,
    /// What it is called.
    pub system: &'static str,
    /// The objective in one line.
    pub objective: &'static str,
    /// What it is trained on.
    pub data: &'static str,
    /// Published figures, with where they are from; empty for none.
    pub published: &'static str,
    /// What is run.
    pub runs: &'static [Run],
}

/// All of them, in order.
pub const ROWS: &[Row] = &[
    Row {
        number: 1,
        system: "VAE",
        objective: "min −E ln p(x|z) + KL(q(z|x) ‖ N(0, 1))",
        data: "binarised MNIST",
        published: "86.76 nats (Burda et al. 2016, table 1)",
        runs: &[Run { example: "vae", arguments: &[], picture: ("", "sample") }],
    },
    Row {
        number: 2,
        system: "CVAE, a mean a class",
        objective: "min −E ln p(x|z) + KL(q(z|x) ‖ N(m_y, 1))",
        data: "binarised MNIST",
        published: "",
        runs: &[Run { example: "cvae", arguments: &[], picture: ("", "classes.png") }],
    },
    Row {
        number: 3,
        system: "generator alone",
        objective: "min E‖G(E(x)) − x‖², beside the VAE",
        data: "Fashion-MNIST",
        published: "",
        runs: &[Run { example: "autoencoder", arguments: &[], picture: ("variational", "sample") }],
    },
    Row {
        number: 4,
        system: "discriminator alone (energy model)",
        objective: "max over D of E D(x) − E D(x̃), x̃ where D is highest",
        data: "ring of 8 Gaussians, 64×64 grid",
        published: "",
        runs: &[Run { example: "energy", arguments: &[], picture: ("", "langevin.png") }],
    },
    Row {
        number: 5,
        system: "GAN, saturating",
        objective: "min over G, max over D of E ln D(x) + E ln(1 − D(G(z)))",
        data: "two Gaussians on the line; ring of 8",
        published: "max V = −2 ln 2 + 2 JSD (Goodfellow et al. 2014, theorem 1)",
        runs: &[Run { example: "gan_theory", arguments: &[], picture: ("k5", "sample") }],
    },
    Row {
        number: 6,
        system: "GAN, non-saturating",
        objective: "D: min E sp(−D(x)) + E sp(D(G(z))); G: min E sp(−D(G(z))); on points judged with instance noise",
        data: "ring of 8, grid of 25; MNIST",
        published: "GAN 6.3 modes, 98.2% (ring), 17.3, 94.8% (grid); PacGAN2 7.9, 95.6%, 23.8, 91.3% (Lin et al. 2018, table 1)",
        runs: &[
            Run { example: "ring", arguments: &[], picture: ("1", "sample") },
            Run { example: "grid", arguments: &["--seeds", "5"], picture: ("", "") },
            Run { example: "gan_pictures", arguments: &["--only", "non-saturating"], picture: ("non-saturating", "sample") },
        ],
    },
    Row {
        number: 7,
        system: "CGAN, both designs",
        objective: "D: min E sp(−D(x,y)) + ½E sp(D(G(z,y),y)) + ½E sp(D(x,y′)); or heads for realism and match",
        data: "MNIST",
        published: "",
        runs: &[Run { example: "cgan", arguments: &[], picture: ("one-score", "classes.png") }],
    },
    Row {
        number: 20,
        system: "f-GAN, ten divergences",
        objective: "max over V, min over G of E g(V(x)) − E f*(g(V(G(z))))",
        data: "two Gaussians on the line; ring of 8",
        published: "",
        runs: &[Run { example: "f_gan", arguments: &[], picture: ("ring-js", "sample") }],
    },
    Row {
        number: 21,
        system: "LSGAN",
        objective: "D: min ½E(D(x) − 1)² + ½E D(G(z))²; G: min ½E(D(G(z)) − 1)²",
        data: "ring of 8; MNIST",
        published: "",
        runs: &[
            Run { example: "lsgan", arguments: &[], picture: ("zero-one", "sample") },
            Run { example: "gan_pictures", arguments: &["--only", "least-squares"], picture: ("least-squares", "sample") },
        ],
    },
    Row {
        number: 22,
        system: "WGAN, clipped",
        objective: "max over ‖D‖ ≤ c, min over G of E D(x) − E D(G(z))",
        data: "pairs of distributions on the line; ring of 8",
        published: "",
        runs: &[Run { example: "wgan", arguments: &[], picture: ("ring", "sample") }],
    },
    Row {
        number: 23,
        system: "WGAN-GP, two- and one-sided",
        objective: "D: min E D(G(z)) − E D(x) + λE(‖∇D(x̂)‖ − 1)²",
        data: "grid of 25, Fashion-MNIST",
        published: "",
        runs: &[Run { example: "wgan_gp", arguments: &[], picture: ("pictures", "sample") }],
    },
    Row {
        number: 24,
        system: "spectral normalisation",
        objective: "W/σ(W) in every layer of D",
        data: "ring of 8, grid of 25",
        published: "",
        runs: &[Run { example: "spectral_norm", arguments: &[], picture: ("grid", "sample") }],
    },
    Row {
        number: 25,
        system: "EBGAN",
        objective: "D: min E D(x) + E[m − D(G(z))]₊, D an autoencoder's error; G: min E D(G(z)) + 0.1 E cos²",
        data: "MNIST",
        published: "",
        runs: &[Run { example: "ebgan", arguments: &[], picture: ("margin", "sample") }],
    },
    Row {
        number: 26,
        system: "loss-sensitive GAN",
        objective: "L: min E L(x) + λE[Δ(x, G(z)) + L(x) − L(G(z))]₊; G: min E L(G(z))",
        data: "ring of 8",
        published: "",
        runs: &[Run { example: "loss_sensitive", arguments: &[], picture: ("ring", "sample") }],
    },
    Row {
        number: 27,
        system: "InfoGAN",
        objective: "min over G, Q, max over D of V(D, G) − λ(E ln Q(c|G(z, c)) + H(c))",
        data: "MNIST",
        published: "",
        runs: &[Run { example: "infogan", arguments: &["--seeds", "3"], picture: ("seed-1", "first-number.png") }],
    },
    Row {
        number: 28,
        system: "VAE-GAN",
        objective: "Enc: min rec + KL; Dec: min γ·rec + E sp(−D); D: min E sp(∓D); rec = ½‖D_l(x) − D_l(x̂)‖²",
        data: "Fashion-MNIST",
        published: "",
        runs: &[Run { example: "vae_gan", arguments: &[], picture: ("vae-gan", "sample") }],
    },
    Row {
        number: 29,
        system: "VAE-GAN, three classes",
        objective: "D: min cross-entropy of real, reconstructed, generated; Dec: min γλ‖x − x̂‖² − ln D(real|x̂) − ln D(real|G(z))",
        data: "Fashion-MNIST",
        published: "",
        runs: &[Run { example: "vae_gan_three_classes", arguments: &[], picture: ("three-classes", "sample") }],
    },
    Row {
        number: 30,
        system: "BiGAN",
        objective: "min over E and G, max over D of E ln D(x, E(x)) + E ln(1 − D(G(z), z))",
        data: "MNIST",
        published: "1-NN 97.35% (log of the authors' code)",
        runs: &[Run { example: "bigan", arguments: &[], picture: ("", "sample") }],
    },
    Row {
        number: 31,
        system: "Triple-GAN",
        objective: "D: max E ln D(x, y) + ½E ln(1 − D(x, C(x))) + ½E ln(1 − D(G(y, z), y))",
        data: "MNIST, 100 labels",
        published: "",
        runs: &[Run { example: "triple_gan", arguments: &[], picture: ("triple-gan", "classes.png") }],
    },
];
