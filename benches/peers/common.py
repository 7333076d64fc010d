"""What all rivals share: the step that they compute, how a form is timed, and how it is checked.

A rival is a function (X, y, m, device) -> {form: (load, run, unload)}, float32 throughout:
load(w, a) puts particles where the form wants them, run(k, state) takes k steps of softmin in both
layers and returns the new state when it is computed, unload(state) gives (w, a) back. Only run is
inside the clock.
"""

import time

import numpy as np

# Large enough that five steps change predictions by far more than float32 rounds weights.
ETA = 0.02
# Steps before predictions are compared.
CHECKED = 5


def case_data(m, n, d):
    """Gaussian inputs of mean square 1/d per coordinate, labels, Gaussian particles."""
    rng = np.random.default_rng(1)
    draw = lambda *shape: rng.standard_normal(shape, dtype=np.float32)
    X = draw(n, d) / np.float32(d) ** np.float32(0.5)
    y = np.where(np.arange(n) % 2, -1, 1).astype(np.float32)
    return X, y, draw(m, d), draw(m)


def in_blocks(w, a, size):
    """(blocks, size, d) and (blocks, size); neurons at 0 fill the last block and never move."""
    blocks = -(-len(a) // size)
    pad = blocks * size - len(a)
    return np.pad(w, ((0, pad), (0, 0))).reshape(blocks, size, -1), np.pad(a, (0, pad)).reshape(blocks, size)


def some(values):
    """At most 64 of the samples, or of what belongs to them: enough to see a step that is wrong."""
    return values[:: -(-len(values) // 64)]


def predictions(X, w, a):
    """f of some samples in float64, whatever the particles were trained in; a few at a time."""
    X = some(X).astype(np.float64)
    f = np.zeros(len(X))
    for j in range(0, len(a), 20_000):
        z = X @ np.asarray(w[j : j + 20_000], np.float64).T
        f += np.maximum(z, 0) @ np.asarray(a[j : j + 20_000], np.float64)
    return f / len(a)


def off(X, start, after, w, a):
    """How far the predictions of (w, a) are from `after` (n), in units of what the steps changed."""
    after = some(after)
    return np.abs(predictions(X, w, a) - after).max() / np.abs(after - start).max()


def per_step(run, state, best):
    """Median milliseconds of a step; one look is enough at what is twice as slow as `best`."""
    begun = time.perf_counter()
    state = run(1, state)
    once = time.perf_counter() - begun
    if 1e3 * once > 2 * best and once > 0.05:
        return 1e3 * once
    steps = int(np.clip(0.3 / once, 1, 1000))
    times = []
    for _ in range(3 if once > 0.2 else 5):
        begun = time.perf_counter()
        state = run(steps, state)
        times.append((time.perf_counter() - begun) / steps)
    return 1e3 * sorted(times)[len(times) // 2]
