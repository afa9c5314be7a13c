//! Names that other frameworks have for what the language calls differently, or does not need.

/// What to write in place of a function, layer or method that another framework has under this name.
pub(super) fn elsewhere(name: &str) -> Option<&'static str> {
    // One spelling for `Conv2d`, `conv2d`, `conv_2d`, `CONV2D`.
    let plain: String = name.chars().filter(|c| *c != '_').map(|c| c.to_ascii_lowercase()).collect();
    Some(match plain.as_str() {
        "linear" | "fc" | "fullyconnected" | "lazylinear" => {
            "a linear layer is `dense(n)`; it takes the number of outputs, and finds the number of inputs itself"
        }
        "conv1d" | "conv2d" | "lazyconv2d" => {
            "a convolution is `conv(n, kernel = 4, stride = 2, pad = 1)`; it finds the number of input channels itself"
        }
        "convtranspose1d" | "convtranspose2d" | "conv2dtranspose" | "convt" | "deconv" | "deconvolution" => {
            "a transposed convolution is `conv_transpose(n, kernel = 4, stride = 2, pad = 1)`"
        }
        "bn" | "batchnorm1d" | "batchnorm2d" | "batchnorm" | "batchnormalization" => {
            "batch normalisation is `batch_norm()`; it finds the number of channels itself"
        }
        "in" | "instancenorm1d" | "instancenorm2d" | "instancenorm" => "instance normalisation is `instance_norm()`",
        "ln" | "layernorm" | "layernormalization" => "layer normalisation is `layer_norm()`",
        "spectralnorm" => "spectral normalisation is an attribute of the net: `#[spectral_norm] net D(…) -> … { … }`",
        "embedding" => "an embedding is `embed(n)`; it finds the number of classes itself",
        "leakyrelu" | "lrelu" => "it is called `leaky_relu(slope)`, such as `leaky_relu(0.2)`",
        "swish" => "it is called `silu()`",
        "logsigmoid" => "write `ln(sigmoid(x))`: logarithms of `sigmoid` are stabilised always",
        "selu" | "celu" | "hardtanh" | "mish" => {
            "it is not in the language; write a `fn` of `exp`, `max`, `select`, or take `elu()`, `silu()`"
        }
        "view" | "resize" | "unflatten" | "asreshape" => "it is called `reshape([…])`; the batch axis is not written",
        "unsqueeze" | "squeeze" | "expanddims" => "write `reshape([…])` with the axes that you want",
        "permute" | "swapaxes" | "movedim" => "write `transpose(x, i, j)`, which exchanges two axes of a sample",
        "cat" | "concatenate" | "hstack" | "vstack" => {
            "it is called `concat(a, b, axis = 0)`; the batch axis is not counted"
        }
        "expand" | "repeatinterleave" | "tile" | "broadcastto" => {
            "write `copies(x, n)` for a new leading axis, or `spread(x, [h, w])` for a vector at every place"
        }
        "interpolate" => "write `upsample(x, 2)`, which repeats the nearest pixel",
        "maxpool1d" | "maxpool2d" => "it is called `max_pool(k)`",
        "avgpool1d" | "avgpool2d" => "it is called `avg_pool(k)`",
        "adaptiveavgpool2d" | "globalaveragepooling2d" => "average the spatial axes: `mean(mean(x, axis = -1), axis = -1)`",
        "sequential" | "modulelist" => "chain the layers by methods: `x.dense(128).relu().dense(1)`",
        "log" | "log10" | "log2" => "the natural logarithm is called `ln(x)`",
        "log1p" => "write `ln(1 + x)`",
        "sqr" => "it is called `square(x)`",
        "where" => "it is called `select(c, a, b)`: a where c ≠ 0, else b",
        "clip" => "it is called `clamp(x, lo, hi)`; of the weights of a net, `#[clip(c)]`",
        "lerp" => "it is called `mix(a, b, t)`, which is t·a + (1 − t)·b",
        "mm" | "bmm" | "dot" | "einsum" => "write `matmul(a, b)`, each sample by itself",
        "maximum" => "it is called `max(a, b)`; of all elements, `amax(x)`",
        "minimum" => "it is called `min(a, b)`",
        "std" => "write `sqrt(var(x))`",
        "item" | "numpy" | "cpu" | "cuda" | "to" | "float" | "clone" | "tolist" | "eval" | "requiresgrad" => {
            "a model describes values and moves none: leave it out"
        }
        "randn" | "randnlike" | "gaussian" => "draws are `normal([…])`, of the shape of one sample",
        "rand" | "randlike" | "random" => "draws are `uniform([…])`, of the shape of one sample",
        "randint" => "a random class is `categorical(K)`",
        "multinomial" => "a drawn class is `sample(logits)`",
        "bceloss" | "bce" | "bcewithlogitsloss" | "binarycrossentropy" | "binarycrossentropywithlogits" => {
            "write it from the logit: `E[softplus(-D(x))]` where the answer is 1, `E[softplus(D(x))]` where it is 0"
        }
        "mseloss" | "mse" => "write it: `E[square(a - b)]`",
        "l1loss" | "l1" | "mae" => "write it: `E[abs(a - b)]`",
        "crossentropyloss" | "nllloss" => "write `E[cross_entropy(logits, y)]`, with a class `y`",
        "hingeloss" | "hinge" => "write it: `E[relu(1 - D(x))] + E[relu(1 + D(fake))]`",
        "kldivloss" | "kldiv" | "kl" => "write `E[kl_normal(mu, s)]` with the log variance `s`, or the sum that you mean",
        "detach" | "stopgradient" | "nograd" => {
            "a player's objective moves only what the player updates, so it is not needed; elsewhere write `stop(x)`"
        }
        "backward" | "zerograd" | "optimizerstep" | "retaingraph" => {
            "every player is differentiated and updated by its line in `train { … }`: leave it out"
        }
        "grad" | "autograd" | "jacobian" => "derivatives are `grad(y, v)`",
        _ => return None,
    })
}

/// What to write in place of an option of an optimiser.
pub(crate) fn optimiser_option(optimiser: &str, name: &str) -> Option<&'static str> {
    Some(match (optimiser, name) {
        (_, "lr" | "learning_rate" | "rate") => "the learning rate comes first, without name: `adam(2e-4)`",
        ("adam", "betas") => "they are two options: `beta1 = 0.5, beta2 = 0.999`",
        ("adam", "weight_decay" | "wd") => "decoupled weight decay is `decay = …`",
        ("adam" | "rmsprop", "epsilon") => "it is called `eps`",
        ("adam" | "rmsprop", "momentum") => "momentum is an option of `sgd`; of `adam` it is `beta1`",
        ("rmsprop", "decay" | "rho") => "it is called `alpha`",
        (_, "clip" | "clip_grad" | "max_norm") => {
            "the norm of the gradient is bounded by a setting of the line: `adam(…), clip_norm = 1.0;`"
        }
        (_, "nesterov" | "amsgrad" | "dampening" | "centered") => "there is none: leave it out",
        _ => return None,
    })
}

/// What to write in place of an optimiser.
pub(crate) fn optimiser(name: &str) -> Option<&'static str> {
    Some(match name.to_ascii_lowercase().as_str() {
        "adamw" => "`adam(lr, decay = …)` has decoupled weight decay",
        "momentum" | "nesterov" => "write `sgd(lr, momentum = 0.9)`",
        "rms_prop" => "it is called `rmsprop`",
        _ => return None,
    })
}
