"""The workloads in JAX: a whole step is one compiled program.

usage: python with_jax.py [w1 w2 w3 w4] [--seconds S] [--gpu [--precision full|default] [--block N]]
"""

import os

import clock

OPTIONS = clock.arguments()
if OPTIONS.gpu:
    if OPTIONS.precision == "full":
        os.environ["JAX_DEFAULT_MATMUL_PRECISION"] = "highest"
else:
    os.environ.setdefault("JAX_PLATFORMS", "cpu")

import jax
import numpy as np
import optax
from jax import lax
from jax import numpy as jnp
from jax.nn import relu, softplus

IMAGES = ("NCHW", "OIHW", "NCHW")


class Initial:
    """Draws initial parameters."""

    def __init__(self):
        self.draws = np.random.default_rng(0)

    def uniform(self, shape, bound):
        return jnp.asarray(self.draws.uniform(-bound, bound, shape), jnp.float32)

    def dense(self, inputs, outputs):
        bound = inputs**-0.5
        return {"weight": self.uniform((inputs, outputs), bound), "bias": self.uniform((outputs,), bound)}

    def conv(self, inputs, outputs):
        bound = (16 * inputs) ** -0.5
        return {"weight": self.uniform((outputs, inputs, 4, 4), bound), "bias": self.uniform((outputs, 1, 1), bound)}

    def norm(self, channels):
        return {"scale": jnp.ones((channels, 1, 1)), "shift": jnp.zeros((channels, 1, 1))}


def dense(p, x):
    return x @ p["weight"] + p["bias"]


def leaky(x):
    return jax.nn.leaky_relu(x, 0.2)


def conv(p, x):
    return lax.conv_general_dilated(x, p["weight"], (2, 2), [(1, 1), (1, 1)], dimension_numbers=IMAGES) + p["bias"]


def conv_transpose(p, x):
    pad = [(2, 2), (2, 2)]
    return lax.conv_general_dilated(x, p["weight"], (1, 1), pad, lhs_dilation=(2, 2), dimension_numbers=IMAGES) + p["bias"]


def batch_norm(p, x):
    mean = x.mean((0, 2, 3), keepdims=True)
    centred = x - mean
    variance = jnp.square(centred).mean((0, 2, 3), keepdims=True)
    return centred * lax.rsqrt(variance + 1e-5) * p["scale"] + p["shift"]


def dense_net(initial, sizes, activation, last=lambda x: x):
    parameters = [initial.dense(i, o) for i, o in zip(sizes, sizes[1:])]

    def apply(parameters, x):
        *hidden, end = parameters
        for layer in hidden:
            x = activation(dense(layer, x))
        return last(dense(end, x))

    return parameters, apply


def picture_generator(initial):
    parameters = {
        "dense": initial.dense(64, 64 * 7 * 7),
        "norm": [initial.norm(64), initial.norm(32)],
        "conv": [initial.conv(64, 32), initial.conv(32, 1)],
    }

    def apply(p, z):
        h = dense(p["dense"], z).reshape(-1, 64, 7, 7)
        h = relu(batch_norm(p["norm"][0], h))
        h = relu(batch_norm(p["norm"][1], conv_transpose(p["conv"][0], h)))
        return jnp.tanh(conv_transpose(p["conv"][1], h))

    return parameters, apply


def picture_discriminator(initial, normalised):
    parameters = {"conv": [initial.conv(1, 32), initial.conv(32, 64)], "dense": initial.dense(64 * 7 * 7, 1)}
    if normalised:
        parameters["norm"] = initial.norm(64)

    def apply(p, x):
        h = conv(p["conv"][1], leaky(conv(p["conv"][0], x)))
        if normalised:
            h = batch_norm(p["norm"], h)
        return dense(p["dense"], leaky(h).reshape(h.shape[0], -1))

    return parameters, apply


def nets(workload, initial):
    """Generator and discriminator, batch size, size of the noise, shape of a sample."""
    if workload == "w1":
        return dense_net(initial, [2, 128, 128, 2], relu), dense_net(initial, [2, 128, 128, 1], relu), 512, 2, (2,)
    if workload == "w2":
        g = dense_net(initial, [64, 256, 512, 784], relu, jnp.tanh)
        return g, dense_net(initial, [784, 512, 256, 1], leaky), 128, 64, (784,)
    if workload == "dcgan64":
        return large_generator(initial), large_discriminator(initial), 256, 100, (3, 64, 64)
    return picture_generator(initial), picture_discriminator(initial, workload == "w3"), 64, 64, (1, 28, 28)


def large_generator(initial):
    sizes = [(256, 128), (128, 64), (64, 32), (32, 3)]
    parameters = {
        "dense": initial.dense(100, 256 * 4 * 4),
        "norm": [initial.norm(n) for n in (256, 128, 64, 32)],
        "conv": [initial.conv(i, o) for i, o in sizes],
    }

    def apply(p, z):
        h = dense(p["dense"], z).reshape(-1, 256, 4, 4)
        for norm, weights in zip(p["norm"], p["conv"]):
            h = conv_transpose(weights, relu(batch_norm(norm, h)))
        return jnp.tanh(h)

    return parameters, apply


def large_discriminator(initial):
    sizes = [(3, 32), (32, 64), (64, 128), (128, 256)]
    parameters = {
        "conv": [initial.conv(i, o) for i, o in sizes],
        "norm": [initial.norm(n) for n in (64, 128, 256)],
        "dense": initial.dense(256 * 4 * 4, 1),
    }

    def apply(p, x):
        h = leaky(conv(p["conv"][0], x))
        for weights, norm in zip(p["conv"][1:], p["norm"]):
            h = leaky(batch_norm(norm, conv(weights, h)))
        return dense(p["dense"], h.reshape(h.shape[0], -1))

    return parameters, apply


def product(initial):
    """One large product; it is made anew at every step, of operands that the compiler does not know."""
    a, b = (jnp.asarray(initial.draws.normal(size=(clock.PRODUCT, clock.PRODUCT)), jnp.float32) for _ in range(2))
    multiply = jax.jit(lambda a, b: a @ b)
    last = None

    def step():
        nonlocal last
        last = multiply(a, b)

    return step, lambda: jax.block_until_ready(last)


def prepare(workload):
    initial = Initial()
    if workload == "product":
        return product(initial)
    (g, generate), (d, judge), batch, noise, shape = nets(workload, initial)
    wasserstein = workload == "w4"
    adam = optax.adam(2e-4, b1=0.5, b2=0.999)

    def discriminator_loss(d, g, x, key):
        of_noise, of_share = jax.random.split(key)
        fake = generate(g, jax.random.normal(of_noise, (batch, noise)))
        if not wasserstein:
            return softplus(-judge(d, x)).mean() + softplus(judge(d, fake)).mean()
        share = jax.random.uniform(of_share, (batch, 1, 1, 1))
        mid = share * x + (1.0 - share) * fake
        slope = jax.grad(lambda v: judge(d, v).sum())(mid)
        length = jnp.sqrt(jnp.square(slope).sum((1, 2, 3)) + 1e-12)
        return judge(d, fake).mean() - judge(d, x).mean() + 10.0 * jnp.square(length - 1.0).mean()

    def generator_loss(g, d, key):
        judged = judge(d, generate(g, jax.random.normal(key, (batch, noise))))
        return -judged.mean() if wasserstein else softplus(-judged).mean()

    def move(loss, parameters, moments, *others):
        value, gradient = jax.value_and_grad(loss)(parameters, *others)
        updates, moments = adam.update(gradient, moments)
        return optax.apply_updates(parameters, updates), moments, value

    @jax.jit
    def whole_step(state, x):
        g, of_g, d, of_d, key = state
        for _ in range(5 if wasserstein else 1):
            key, inner = jax.random.split(key)
            d, of_d, loss_of_d = move(discriminator_loss, d, of_d, g, x, inner)
        key, inner = jax.random.split(key)
        g, of_g, loss_of_g = move(generator_loss, g, of_g, d, inner)
        return (g, of_g, d, of_d, key), (loss_of_d, loss_of_g)

    x = jnp.asarray(initial.draws.normal(size=(batch, *shape)), jnp.float32)
    state = (g, adam.init(g), d, adam.init(d), jax.random.PRNGKey(0))

    def step():
        nonlocal state
        state, losses = whole_step(state, x)

    return step, lambda: jax.block_until_ready(state)


if __name__ == "__main__":
    for name in OPTIONS.workloads:
        step, wait = prepare(name)
        clock.report("jax", name, lambda: step, OPTIONS.seconds, OPTIONS.block, wait)
