"""The four workloads in JAX: a whole step is one compiled program.

usage: python with_jax.py [w1 w2 w3 w4] [--seconds S]
"""

import os

os.environ.setdefault("JAX_PLATFORMS", "cpu")

import jax
import numpy as np
import optax
from jax import lax
from jax import numpy as jnp
from jax.nn import relu, softplus

import clock

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
    return picture_generator(initial), picture_discriminator(initial, workload == "w3"), 64, 64, (1, 28, 28)


def prepare(workload):
    initial = Initial()
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
        jax.block_until_ready((state, losses))

    return step


if __name__ == "__main__":
    options = clock.arguments()
    for name in options.workloads:
        clock.report("jax", name, lambda: prepare(name), options.seconds)
