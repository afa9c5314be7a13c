//! Every layer and function of the language differentiates correctly, once and twice, as models use it: through `gan!`, the
//! lowering and the optimiser's graph. What is compared is the gradient with which a turn moves each parameter; the objective
//! has a part in which the derivative by the data stands, so that the parameters' derivative is of second order.

mod support;

use support::difference::check;
use support::{Lowered, assert_close, writes};

/// One net a case, each its own player: first order in `exp`, second order in the penalty on the derivative by `x`.
macro_rules! cases {
    ($test:ident, $shape:tt, { $($net:ident -> $out:tt $body:tt)* }) => {
        #[allow(dead_code)] // only the model's text is used
        mod $test {
            use saddlepoint::prelude::*;
            gan! {
                pub model Cases {
                    data x: $shape;
                    $(net $net(x: $shape) -> $out $body)*
                    fn penalised(y, x) { E[y] + E[square(grad(y, x).norm() - 1.0)] }
                    $(player $net minimizes { penalised(exp(0.5 * $net(x)), x) })*
                    train { $($net: sgd(1.0);)* }
                }
            }
        }
        #[test]
        fn $test() {
            check::<$test::Cases>(3);
        }
    };
}

cases!(dense_and_norms_of_vectors, [5], {
    Dense -> [4] { x.dense(4) }
    Unbiased -> [4] { x.dense(6).tanh().dense(4, bias = false) }
    OfRows -> [2, 3] { x.dense(8).reshape([2, 4]).dense(3) }
    Batch -> [4] { x.dense(4).batch_norm() }
    Layered -> [4] { x.dense(4).layer_norm() }
    LayeredRows -> [2, 3] { x.dense(6).reshape([2, 3]).layer_norm() }
    Prelu -> [4] { x.dense(4).prelu() }
    Deviation -> [5] { x.dense(4).minibatch_std() }
    Twice -> [3] { x.repeat([6, 4], |h, n| h.dense(n).tanh()).dense(3) }
});

cases!(convolutions, [2, 5, 6], {
    Plain -> [3, 3, 4] { x.conv(3, kernel = 3) }
    Strided -> [3, 3, 3] { x.conv(3, kernel = 3, stride = 2, pad = 1) }
    Dilated -> [2, 3, 4] { x.conv(2, kernel = 3, dilation = 2, pad = 1) }
    Grouped -> [4, 3, 3] { x.conv(4, kernel = 3, stride = 2, pad = 1, groups = 2, bias = false) }
    Unequal -> [2, 2, 6] { x.conv(2, kernel = [4, 1], stride = [1, 1], pad = 0) }
    Instance -> [2, 3, 3] { x.conv(2, kernel = 3, stride = 2, pad = 1).instance_norm() }
    Batch -> [2, 3, 3] { x.conv(2, kernel = 3, stride = 2, pad = 1).batch_norm() }
    Prelu -> [2, 3, 4] { x.conv(2, kernel = 3).prelu() }
});

cases!(transposed_convolutions, [2, 3, 2], {
    Plain -> [3, 5, 4] { x.conv_transpose(3, kernel = 3) }
    Doubling -> [2, 6, 4] { x.conv_transpose(2, kernel = 4, stride = 2, pad = 1) }
    OutputPad -> [2, 6, 4] { x.conv_transpose(2, kernel = 3, stride = 2, pad = 1, output_pad = 1) }
    Unbiased -> [1, 7, 5] { x.conv_transpose(1, kernel = 3, stride = 2, bias = false) }
    Unequal -> [2, 5, 2] { x.conv_transpose(2, kernel = [3, 1], stride = [2, 1], pad = [1, 0]) }
    Deep -> [1, 6, 4] { x.conv_transpose(2, kernel = 3, pad = 1).tanh().conv_transpose(1, kernel = 4, stride = 2, pad = 1) }
});

cases!(sequences_of_channels, [2, 7], {
    Conv -> [3, 3] { x.conv(3, kernel = 3, stride = 2) }
    Dilated -> [2, 5] { x.conv(2, kernel = 3, dilation = 2, pad = 1) }
    Grouped -> [2, 7] { x.conv(2, kernel = 3, pad = 1, groups = 2) }
    Transposed -> [3, 14] { x.conv_transpose(3, kernel = 4, stride = 2, pad = 1) }
    OutputPad -> [2, 14] { x.conv_transpose(2, kernel = 3, stride = 2, pad = 1, output_pad = 1) }
    Instance -> [2, 5] { x.conv(2, kernel = 3).instance_norm() }
    Batch -> [2, 5] { x.conv(2, kernel = 3).batch_norm() }
    Deviation -> [3, 5] { x.conv(2, kernel = 3).minibatch_std() }
});

cases!(recurrent_layers, [3, 2], {
    Gru -> [3, 3] { x.gru(3) }
    GruBackwards -> [3, 3] { x.gru(3, reverse = true) }
    GruMasked -> [3, 3] { x.gru(3, mask = x.sum(axis = 1) > 0.0) }
    GruLast -> [3] { x.gru(3)[2] }
    Lstm -> [3, 2] { x.lstm(2) }
    LstmBackwards -> [3, 2] { x.lstm(2, mask = x.sum(axis = 1) > 0.0, reverse = true) }
    GruCells -> [3] { let h = x[0].dense(3).tanh(); x[1].gru_cell(h) }
    LstmCells -> [3] { let (h, c) = x[0].lstm_cell(x[1].dense(3), x[2].dense(3)); h * c }
    Stacked -> [2] { x.gru(3).lstm(2)[1] }
});

cases!(elementwise_functions, [4], {
    Ln -> [3] { x.dense(3).softplus().ln() }
    Exp -> [3] { x.dense(3).exp() }
    Sqrt -> [3] { (x.dense(3).square() + 0.5).sqrt() }
    Square -> [3] { x.dense(3).square() }
    Abs -> [3] { x.dense(3).abs() }
    Cos -> [3] { x.dense(3).cos() }
    Sin -> [3] { x.dense(3).sin() }
    Tanh -> [3] { x.dense(3).tanh() }
    Sigmoid -> [3] { x.dense(3).sigmoid() }
    LnSigmoid -> [3] { x.dense(3).sigmoid().ln() }
    LnNotSigmoid -> [3] { ln(1 - x.dense(3).sigmoid()) }
    Softplus -> [3] { x.dense(3).softplus() }
    Relu -> [3] { x.dense(3).relu() }
    Elu -> [3] { x.dense(3).elu() }
    Gelu -> [3] { x.dense(3).gelu() }
    Silu -> [3] { x.dense(3).silu() }
    Leaky -> [3] { x.dense(3).leaky_relu(0.2) }
    Clamp -> [3] { x.dense(3).clamp(-0.4, 0.6) }
    Cube -> [3] { x.dense(3).pow(3.0) }
    Inverse -> [3] { (x.dense(3).square() + 1.0).pow(-2.0) }
    Root -> [3] { (x.dense(3).square() + 0.5).pow(0.5) }
    Power -> [3] { (x.dense(3).square() + 0.5).pow(1.7) }
    NoPower -> [3] { x.dense(3) + x.dense(3).pow(0.0) }
    Floor -> [3] { let h = x.dense(3); h - floor(3.0 * h) }
    Sign -> [3] { let h = x.dense(3); h * sign(h) }
});

cases!(functions_of_several_operands, [4], {
    Arithmetic -> [3] { let a = x.dense(3); let b = x.dense(3); -a + 2.0 * b - a * b / (1.5 + b.square()) }
    Repeated -> [2, 3] { x.dense(6).reshape([2, 3]) * x.dense(2).reshape([2, 1]) + x.dense(3).reshape([1, 3]) - x.dense(1) }
    ByScalar -> [2, 3] { x.dense(6).reshape([2, 3]) / (1.0 + x.dense(1).square().sum()) }
    Max -> [3] { max(x.dense(3), x.dense(3)) }
    Min -> [3] { min(x.dense(3), 0.1) }
    Select -> [3] { let a = x.dense(3); select(a > 0.1, a.square(), x.dense(1)) }
    Compared -> [3] { let a = x.dense(3); a * (a < 0.2) + a.square() * (a >= 0.2) }
    Mix -> [3] { mix(x.dense(3), x.dense(3), x.dense(1).sigmoid()) }
});

cases!(reductions, [4], {
    Sum -> [] { x.dense(6).reshape([2, 3]).sum() }
    SumAxis -> [2] { x.dense(6).reshape([2, 3]).square().sum(axis = 1) }
    Mean -> [] { x.dense(6).reshape([2, 3]).square().mean() }
    MeanAxis -> [3] { x.dense(6).reshape([2, 3]).mean(axis = 0) }
    Norm -> [] { x.dense(6).reshape([2, 3]).norm() }
    NormAxis -> [2] { x.dense(6).reshape([2, 3]).norm(axis = -1) }
    Amax -> [] { x.dense(6).reshape([2, 3]).amax() }
    AmaxAxis -> [3] { x.dense(6).reshape([2, 3]).amax(axis = 0) }
    Var -> [] { x.dense(6).reshape([2, 3]).var() }
    VarAxis -> [2] { x.dense(6).reshape([2, 3]).var(axis = 1) }
    Softmax -> [6] { x.dense(6).softmax() }
    SoftmaxAxis -> [2, 3] { x.dense(6).reshape([2, 3]).softmax(axis = 0) }
    LogSoftmax -> [2, 3] { x.dense(6).reshape([2, 3]).log_softmax() }
    LnSoftmax -> [6] { x.dense(6).softmax().ln() }
});

cases!(functions_that_move_elements, [4], {
    Reshaped -> [3, 4] { x.dense(12).tanh().reshape([2, 6]).dense(6).reshape([3, 4]) }
    Transposed -> [3, 2] { x.dense(6).reshape([2, 3]).transpose(0, 1) * x.dense(6).reshape([3, 2]) }
    Flipped -> [2, 3] { let h = x.dense(6).reshape([2, 3]); h * h.flip(1) }
    Joined -> [2, 4] { concat(x.dense(6).reshape([2, 3]), x.dense(2).reshape([2, 1]), axis = 1) }
    Stacked -> [2, 3] { let mut all = list(); all.push(x.dense(3)); all.push(x.dense(3).tanh()); stack(all) }
    Copied -> [2, 3] { x.dense(3).copies(2) * x.dense(6).reshape([2, 3]) }
    Spread -> [3, 2, 2] { x.dense(3).spread([2, 2]) * x.dense(12).reshape([3, 2, 2]) }
    Entry -> [3] { let h = x.dense(6).reshape([2, 3]); h[0] * h[1] }
    Part -> [2, 2] { let h = x.dense(12).reshape([4, 3]); h[1..3].slice(1, 1, 3) * h[0..2].slice(1, 0, 2) }
    Difference -> [2, 2] { x.dense(6).reshape([2, 3]).diff(1) }
    Mapped -> [2, 3] { vmap(x.dense(6).reshape([2, 3]), |row| row.tanh() * row.sum()) }
});

cases!(functions_on_pictures, [3], {
    Padded -> [1, 3, 3] { x.dense(18).reshape([2, 3, 3]).pad(1).conv(1, kernel = 3) }
    PaddedRow -> [2, 5] { x.dense(6).reshape([2, 3]).pad(1) }
    MaxPool -> [2, 2, 1] { x.dense(24).reshape([2, 4, 3]).max_pool(2) }
    AvgPool -> [2, 2, 1] { x.dense(24).reshape([2, 4, 3]).square().avg_pool(2) }
    AvgPoolRow -> [2, 2] { x.dense(8).reshape([2, 4]).avg_pool(2) }
    Upsample -> [1, 4, 4] { x.dense(8).reshape([2, 2, 2]).upsample(2).conv(1, kernel = 3, pad = 1) }
    Shuffled -> [1, 4, 4] { x.dense(16).reshape([4, 2, 2]).pixel_shuffle(2).conv(1, kernel = 3, pad = 1) }
    Glu -> [2, 2, 2] { x.dense(16).reshape([4, 2, 2]).glu() }
});

cases!(products, [4], {
    Inner -> [] { matmul(x.dense(3), x.dense(3)) }
    MatrixVector -> [2] { matmul(x.dense(6).reshape([2, 3]), x.dense(3)) }
    VectorMatrix -> [2] { matmul(x.dense(3), x.dense(6).reshape([3, 2])) }
    Matrices -> [2, 4] { matmul(x.dense(6).reshape([2, 3]), x.dense(12).reshape([3, 4])) }
    Cosine -> [] { cosine(x.dense(3), x.dense(3)) }
    Attention -> [2, 3] { attention(x.dense(8).reshape([2, 4]), x.dense(12).reshape([3, 4]), x.dense(9).reshape([3, 3])) }
    KlNormal -> [] { kl_normal(x.dense(3), x.dense(3)) }
    NormalLogProb -> [] { normal_log_prob(x.dense(3), x.dense(3), x.dense(3)) }
    UnitVariance -> [] { normal_log_prob(x.dense(3), x.dense(3), 0.0) }
    Entropy -> [2] { x.dense(6).reshape([2, 3]).entropy() }
});

/// Models whose nets take more than one tensor of floats.
#[allow(dead_code)] // only the text of the models is used
mod other {
    use saddlepoint::prelude::*;

    gan! {
        pub model WithClasses {
            data pair { x: [4], y: class(3), w: [2] of class(3) }
            net Embedded(x: [4], y: class(3)) -> [4] { x * y.embed(4) }
            net EmbeddedRows(x: [4], w: [2] of class(3)) -> [2] { matmul(w.embed(4), x.dense(4)) }
            net OneHot(x: [4], y: class(3)) -> [3] { x.dense(3) * y.one_hot() }
            net Marked(x: [4], y: class(3)) -> [3] { x.dense(3) * (y == 1) + x.dense(3).square() * (y != 1) }
            net LogProb(x: [4], y: class(3)) -> [] { x.dense(3).log_prob(y) }
            net LogProbRows(x: [4], w: [2] of class(3)) -> [2] { x.dense(6).reshape([2, 3]).log_prob(w) }
            net LogProbRepeated(x: [4], y: class(3)) -> [2] { x.dense(6).reshape([2, 3]).log_prob(y) }
            net LogProbConstant(x: [4]) -> [2] { x.dense(6).reshape([2, 3]).log_prob(2) }
            net CrossEntropy(x: [4], y: class(3)) -> [] { x.dense(3).cross_entropy(y) }
            fn penalised(y, x) { E[y] + E[square(grad(y, x).norm() - 1.0)] }
            player Embedded minimizes { penalised(exp(0.5 * Embedded(x, y)), x) }
            player EmbeddedRows minimizes { penalised(exp(0.5 * EmbeddedRows(x, w)), x) }
            player OneHot minimizes { penalised(exp(0.5 * OneHot(x, y)), x) }
            player Marked minimizes { penalised(exp(0.5 * Marked(x, y)), x) }
            player LogProb minimizes { penalised(exp(0.5 * LogProb(x, y)), x) }
            player LogProbRows minimizes { penalised(exp(0.5 * LogProbRows(x, w)), x) }
            player LogProbRepeated minimizes { penalised(exp(0.5 * LogProbRepeated(x, y)), x) }
            player LogProbConstant minimizes { penalised(exp(0.5 * LogProbConstant(x)), x) }
            player CrossEntropy minimizes { penalised(exp(0.5 * CrossEntropy(x, y)), x) }
            train {
                Embedded, EmbeddedRows, OneHot, Marked, LogProb, LogProbRows, LogProbRepeated, LogProbConstant,
                CrossEntropy: sgd(1.0);
            }
        }
    }

    gan! {
        pub model WithDraws {
            data x: [4];
            noise z: normal([4]);
            noise k: categorical(3);
            net Noisy(x: [4]) -> [3] { x.dense(3) * normal([3]) + x.dense(3).tanh() * uniform([3], low = -1.0, high = 2.0) }
            net Dropped(x: [4]) -> [3] { x.dense(6).tanh().dropout(0.4).dense(3) }
            net Sampled(x: [4]) -> [3] { x.dense(3) * bernoulli(0.5, [3]) + x.dense(3) * x.dense(3).sample().one_hot() }
            net Augmented(x: [4]) -> [3] {
                let picture = x.dense(3 * 4 * 4).tanh().reshape([3, 4, 4]);
                picture.diff_augment(translation = 0.25, cutout = 0.5).flatten().dense(3)
            }
            net Paired(x: [4]) -> [3] { let h = x.dense(3); h * h.other_sample() }
            net Relabelled(x: [4], k: class(3)) -> [4] { x * k.other_class().embed(4) }
            net Mixed(x: [4]) -> [3] { x.dense(5).softplus().dense(3) }
            net Conditioned(x: [4], k: class(3)) -> [4] { x.dense(4) + k.embed(4) }
            fn penalised(y, x) { E[y] + E[square(grad(y, x).norm() - 1.0)] }
            let mid = mix(x, z, uniform([1]));
            player Noisy minimizes { penalised(exp(0.5 * Noisy(x)), x) }
            player Dropped minimizes { penalised(exp(0.5 * Dropped(x)), x) }
            player Sampled minimizes { penalised(exp(0.5 * Sampled(x)), x) }
            player Augmented minimizes { penalised(exp(0.5 * Augmented(x)), x) }
            player Paired minimizes { penalised(exp(0.3 * Paired(x)), x) }
            player Relabelled minimizes { penalised(exp(0.3 * Relabelled(x, k)), x) }
            player Mixed minimizes { penalised(exp(0.5 * Mixed(mid)), mid) }
            player Conditioned minimizes { penalised(exp(0.3 * Conditioned(z, k)), z) }
            train { Noisy, Dropped, Sampled, Augmented, Paired, Relabelled, Mixed, Conditioned: sgd(1.0); }
        }
    }

    gan! {
        pub model Spectral {
            data x: [2, 4, 4];
            noise y: categorical(3);
            #[spectral_norm]
            net Plain(x: [2, 4, 4]) -> [3] { x.flatten().dense(4).tanh().dense(3) }
            #[spectral_norm]
            net Convolved(x: [2, 4, 4]) -> [2, 4, 4] {
                x.conv(4, kernel = 3, stride = 2, pad = 1, groups = 2).tanh().conv_transpose(2, kernel = 4, stride = 2, pad = 1)
            }
            #[spectral_norm]
            net Embedded(x: [2, 4, 4], y: class(3)) -> [4] { x.flatten().dense(4).tanh() * y.embed(4) }
            #[spectral_norm]
            net Carried(x: [2, 4, 4]) -> [2, 3] { x.reshape([2, 16]).gru(3) }
            fn penalised(y, x) { E[y] + E[square(grad(y, x).norm() - 1.0)] }
            player Plain minimizes { penalised(exp(0.5 * Plain(x)), x) + E[square(Plain(2.0 * x))] }
            player Convolved minimizes { penalised(exp(0.5 * Convolved(x)), x) }
            player Embedded minimizes { penalised(exp(0.5 * Embedded(x, y)), x) }
            player Carried minimizes { penalised(exp(0.5 * Carried(x)), x) }
            train { Plain, Convolved, Embedded, Carried: sgd(1.0); }
        }
    }

    gan! {
        /// A penalty on the generator's own map, through both nets and several players of one net.
        pub model Composed {
            data x: [3];
            noise z: normal([3]);
            net G(z: [3]) -> [3] { z.dense(5).batch_norm().tanh().dense(3) }
            net D(x: [3]) -> [1] { x.dense(5).batch_norm().leaky_relu(0.2).dense(1) }
            let fake = G(z);
            player D minimizes {
                E[softplus(-D(x))] + E[softplus(D(fake))] + 0.5 * E[square(grad(D(x), x)).sum()] + E[square(grad(D(fake), fake).norm() - 1.0)]
            }
            player G minimizes { E[softplus(-D(fake))] + 0.1 * E[square(grad(D(G(z)).square(), z).norm() - 1.0)] }
            player Both updates (G, D) minimizes { E[square(D(fake) - 1.0)] + E[square(grad(D(fake), z).norm() - 1.0)] }
            train { D, G, Both: sgd(1.0); }
        }
    }
}

/// Where the gradient is not the derivative of the value: players of one net whose gradients must be equal.
#[allow(dead_code)] // only the text of the models is used
mod diverted {
    use saddlepoint::prelude::*;

    gan! {
        pub model Diverted {
            data x: [4];
            net N(x: [4]) -> [3] { x.dense(3).tanh() }
            player Stopped updates N minimizes { E[stop(N(x)) * N(x)] }
            player Half updates N minimizes { 0.5 * E[square(N(x))] }
            player Reversed updates N minimizes { E[reverse(square(N(x)), 0.7)] }
            player Negative updates N minimizes { E[square(N(x))] * -0.7 }
            player Rounded updates N minimizes { E[square(straight_through(floor(4.0 * N(x)), N(x)))] }
            player Pulled updates N minimizes { E[2.0 * stop(floor(4.0 * N(x))) * N(x)] }
            player Gained updates N maximizes { E[square(N(x))] }
            player Opposed updates N minimizes { -E[square(N(x))] }
            train { Stopped, Half, Reversed, Negative, Rounded, Pulled, Gained, Opposed: sgd(1.0); }
        }
    }
}

#[test]
fn stopped_reversed_and_straight_through_gradients() {
    let lowered = Lowered::of::<diverted::Diverted>(3);
    for (one, other) in [("Stopped", "Half"), ("Reversed", "Negative"), ("Rounded", "Pulled"), ("Gained", "Opposed")] {
        let moved = [one, other].map(|player| {
            let graph = &lowered.turn(player).graph;
            writes(graph, &lowered.point(graph, 5).run(graph))
        });
        assert_eq!(moved[0].len(), 2, "weight and bias");
        for (name, values) in &moved[0] {
            assert_close(&format!("{one}: {name}"), values, &moved[1][name], 1e-7);
        }
    }
    let loss = |player: &str| {
        let graph = &lowered.turn(player).graph;
        lowered.point(graph, 5).run(graph).output(&format!("loss.{player}")).expect("its loss").to_f64s()[0]
    };
    assert!((loss("Reversed") - 2.0 * loss("Half")).abs() < 1e-12, "reverse keeps the value");
    assert!(loss("Rounded") > 0.5, "straight_through has the value of its first operand: {}", loss("Rounded"));
}

#[test]
fn functions_of_classes() {
    check::<other::WithClasses>(3);
}

#[test]
fn functions_with_draws() {
    check::<other::WithDraws>(3);
}

#[test]
fn spectrally_normalised_nets() {
    check::<other::Spectral>(3);
}

#[test]
fn nets_in_each_other() {
    check::<other::Composed>(4);
}
