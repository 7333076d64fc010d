"""The rival that stores no activations either: fused kernels in numba, written so that LLVM makes
vectors of them. Loops over the d coordinates are unrolled in the source: as loops LLVM vectorises
nothing. predict runs along neurons (a sum and no store in the inner loop), velocity along samples,
with G in registers.
"""

import numpy as np

from common import ETA, in_blocks

# Neurons of a block: with d = 15 they stay in the first-level cache.
BLOCK = 128
# Beyond this d a matrix product is the better tool, and NumPy, JAX and PyTorch have it.
D_MOST = 64


def dot(d, term):
    return " + ".join(term.format(k=k) for k in range(d))


def source(d, held):
    """predict and velocity_update of one block w (d, BLOCK), a; `held` samples at a time."""
    each = lambda line: [line.format(k=k) for k in range(d)]
    lines = ["def predict(w, a, X, f):"]
    lines += each("    w{k} = w[{k}]")
    lines += [f"    for i in range(0, X.shape[0], {held}):"]
    for s in range(held):
        lines += [f"        x{s}_{k} = X[i + {s}, {k}]" for k in range(d)]
        lines += [f"        f{s} = ZERO"]
    lines += ["        for j in range(a.shape[0]):", "            a_j = a[j]"]
    lines += each("            v{k} = w{k}[j]")
    for s in range(held):
        z = dot(d, f"v{{k}} * x{s}_{{k}}")
        lines += [f"            f{s} += a_j * max({z}, ZERO)"]
    lines += [f"        f[i + {s}] += f{s}" for s in range(held)]

    lines += ["def velocity_update(w, a, XT, g):"]
    lines += each("    x{k} = XT[{k}]")
    lines += ["    for j in range(a.shape[0]):"]
    lines += each("        w{k} = w[{k}, j]")
    lines += each("        G{k} = ZERO")
    lines += ["        for i in range(g.shape[0]):"]
    lines += each("            v{k} = x{k}[i]")
    lines += [f"            g_i = g[i] if {dot(d, 'w{k} * v{k}')} > ZERO else ZERO"]
    lines += each("            G{k} += g_i * v{k}")
    lines += ["        move = ETA * a[j]", f"        a[j] -= ETA * ({dot(d, 'w{k} * G{k}')})"]
    lines += each("        w[{k}, j] = w{k} - move * G{k}")
    return "\n".join(lines)


def numba_rival(X, y, m, device):
    import numba

    n, d = X.shape
    if d > D_MOST:
        raise ImportError(f"its kernels unroll d, which {d} is too large for")
    held = 4 if d <= 8 else 2
    padded = -(-n // 16) * 16
    Xp = np.zeros((padded, d), np.float32)
    Xp[:n] = X
    XT = np.ascontiguousarray(Xp.T)
    names = {"ZERO": np.float32(0), "ETA": np.float32(ETA)}
    exec(source(d, held), names)
    predict = numba.njit(fastmath=True)(names["predict"])
    velocity_update = numba.njit(fastmath=True)(names["velocity_update"])
    blocks, width = -(-m // BLOCK), np.float32(m)
    zero, infinity = np.float32(0), np.float32(np.inf)

    def steps(count, w, a, f, g, X, XT, y):
        # More parts than threads, so that none waits long for another.
        parts = len(f)
        for _ in range(count):
            for p in numba.prange(parts):
                f[p, :] = zero
                for b in range(p * blocks // parts, (p + 1) * blocks // parts):
                    predict(w[b], a[b], X, f[p])
            low = infinity
            for i in range(n):
                total = zero
                for p in range(parts):
                    total += f[p, i]
                g[i] = y[i] * total / width
                low = min(low, g[i])
            total = zero
            for i in range(n):
                g[i] = np.exp(low - g[i])
                total += g[i]
            for i in range(n):
                g[i] = -y[i] * g[i] / total
            for p in numba.prange(parts):
                for b in range(p * blocks // parts, (p + 1) * blocks // parts):
                    velocity_update(w[b], a[b], XT, g)

    def form(parallel):
        loop = numba.njit(parallel=parallel, fastmath=True)(steps)
        parts = min(blocks, 8 * numba.get_num_threads()) if parallel else 1
        f, g = np.zeros((parts, padded), np.float32), np.zeros(padded, np.float32)

        def run(k, state):
            loop(k, *state, f, g, Xp, XT, y)
            return state

        def load(w, a):
            w, a = in_blocks(w, a, BLOCK)
            return np.ascontiguousarray(w.transpose(0, 2, 1)), a.copy()

        def unload(state):
            w, a = state
            return w.transpose(0, 2, 1).reshape(-1, d)[:m], a.reshape(-1)[:m]

        return load, run, unload

    forms = {"all threads": form(True)}
    if m <= 10_000:
        # Where threads wait for one another longer than they work.
        forms["one thread"] = form(False)
    return forms
