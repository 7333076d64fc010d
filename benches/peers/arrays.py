"""Rivals that write activations to memory, or to a cache: NumPy, JAX, PyTorch, and KeOps."""

import os

import numpy as np

from common import ETA, in_blocks

# Neurons whose activations on a few hundred samples stay in a cache.
CPU_BLOCK, GPU_BLOCK = 4_000, 16_000


def numpy_rival(X, y, m, device):
    n = len(y)
    eta, size = np.float32(ETA), min(m, CPU_BLOCK)
    XT = np.ascontiguousarray(X.T)

    def residual(f):
        u = y * f
        p = np.exp(u.min() - u)
        return -y * p / p.sum()

    def plain(w, a):
        z = X @ w.T
        g = residual(np.maximum(z, 0) @ a / np.float32(m))
        G = ((z > 0) * g[:, None]).T @ X
        return w - eta * a[:, None] * G, a - eta * (w * G).sum(1)

    z, on = np.empty((n, m if n * m < 1 << 29 else 0), np.float32), np.empty((size, n), bool)

    def in_place(w, a):
        """w (d, m), and one array of activations for all steps."""
        np.matmul(X, w, out=z)
        np.maximum(z, 0, out=z)
        g = residual(z @ a / np.float32(m))
        np.multiply(z > 0, g[:, None], out=z)
        G = XT @ z
        force = (w * G).sum(0)
        G *= eta * a
        w -= G
        a -= eta * force
        return w, a

    part = np.empty((size, n), np.float32)

    def blocks(w, a):
        f = np.zeros(n, np.float32)
        for w_b, a_b in zip(w, a):
            np.matmul(w_b, XT, out=part)
            np.maximum(part, 0, out=part)
            f += a_b @ part
        g = residual(f / np.float32(m))
        for w_b, a_b in zip(w, a):
            np.matmul(w_b, XT, out=part)
            np.greater(part, 0, out=on)
            np.multiply(on, g, out=part)
            G = part @ X
            force = np.einsum("jk,jk->j", w_b, G)
            G *= (eta * a_b)[:, None]
            w_b -= G
            a_b -= eta * force
        return w, a

    def form(step, load, unload):
        def run(k, state):
            for _ in range(k):
                state = step(*state)
            return state

        return load, run, unload

    same = lambda w, a: (w.copy(), a.copy())
    forms = {"plain": form(plain, same, lambda s: s)}
    if z.size:
        forms["in place"] = form(in_place, lambda w, a: (w.T.copy(), a.copy()), lambda s: (s[0].T, s[1]))
    forms["blocks"] = form(blocks, lambda w, a: in_blocks(w.copy(), a.copy(), size), lambda s: flat(*s, m))
    return forms


def flat(w, a, m):
    """The inverse of in_blocks."""
    w, a = np.asarray(w), np.asarray(a)
    return w.reshape(-1, w.shape[-1])[:m], a.reshape(-1)[:m]


def jax_rival(tf32):
    def rival(X, y, m, device):
        import jax
        import jax.numpy as jnp

        on_gpu = jax.default_backend() == "gpu"
        if on_gpu != (device == "gpu"):
            raise ImportError(f"this JAX computes on the {jax.default_backend()}")
        # On GPUs float32 products are rounded to TF32 unless told otherwise.
        jax.config.update("jax_default_matmul_precision", "tensorfloat32" if tf32 else "highest")
        size = min(m, GPU_BLOCK if on_gpu else CPU_BLOCK)
        X, y = jnp.asarray(X), jnp.asarray(y)

        def residual(f):
            u = y * f
            p = jnp.exp(u.min() - u)
            return -y * p / p.sum()

        def plain(_, state):
            w, a = state
            z = X @ w.T
            g = residual(jnp.maximum(z, 0) @ a / m)
            G = jnp.where(z > 0, g[:, None], 0).T @ X
            return w - ETA * a[:, None] * G, a - ETA * (w * G).sum(1)

        def columns(_, state):
            """w (d, m)"""
            w, a = state
            z = X @ w
            g = residual(jnp.maximum(z, 0) @ a / m)
            G = X.T @ jnp.where(z > 0, g[:, None], 0)
            return w - ETA * a * G, a - ETA * (w * G).sum(0)

        def risk(w, a):
            return jax.nn.logsumexp(-y * (jnp.maximum(X @ w.T, 0) @ a / m))

        def grad(_, state):
            gw, ga = jax.grad(risk, argnums=(0, 1))(*state)
            return state[0] - ETA * m * gw, state[1] - ETA * m * ga

        def blocks(_, state):
            """w (blocks, size, d): activations are computed twice and stay in the cache."""

            def predict(f, block):
                w, a = block
                return f + a @ jnp.maximum(w @ X.T, 0), None

            f, _ = jax.lax.scan(predict, jnp.zeros_like(y), state)
            g = residual(f / m)

            def velocity_update(block):
                w, a = block
                G = jnp.where(w @ X.T > 0, g, 0) @ X
                return w - ETA * a[:, None] * G, a - ETA * (w * G).sum(1)

            return jax.lax.map(velocity_update, state)

        def form(step, load, unload):
            loop = jax.jit(lambda k, state: jax.lax.fori_loop(0, k, step, state))
            put = lambda w, a: tuple(jnp.asarray(v) for v in load(w, a))
            return put, lambda k, state: jax.block_until_ready(loop(k, state)), unload

        rows = (lambda w, a: (w, a)), (lambda s: s)
        return {
            "plain": form(plain, *rows),
            "w (d, m)": form(columns, lambda w, a: (w.T, a), lambda s: (s[0].T, s[1])),
            "grad": form(grad, *rows),
            "blocks": form(blocks, lambda w, a: in_blocks(w, a, size), lambda s: flat(*s, m)),
        }

    return rival


def torch_rival(compiled, tf32):
    def rival(X, y, m, device):
        import torch

        where = "cuda" if device == "gpu" else "cpu"
        if where == "cuda" and not torch.cuda.is_available():
            raise ImportError("this PyTorch sees no GPU")
        torch.set_num_threads(int(os.environ.get("THREADS", os.cpu_count())))
        torch.backends.cuda.matmul.allow_tf32 = tf32
        size = min(m, GPU_BLOCK if where == "cuda" else CPU_BLOCK)
        put = lambda v: torch.as_tensor(np.ascontiguousarray(v), device=where).clone()
        X, y = put(X), put(y)
        XT = X.T.contiguous()

        def residual(f):
            return -y * torch.softmax(-y * f / m, 0)

        def plain(w, a):
            z = X @ w.T
            G = torch.where(z > 0, residual(torch.relu(z) @ a)[:, None], 0.0).T @ X
            force = (w * G).sum(1)
            w.sub_(ETA * a[:, None] * G)
            a.sub_(ETA * force)

        def columns(w, a):
            z = X @ w
            G = XT @ torch.where(z > 0, residual(torch.relu(z) @ a)[:, None], 0.0)
            force = (w * G).sum(0)
            w.sub_(ETA * a * G)
            a.sub_(ETA * force)

        def predict(f, w, a):
            return f + a @ torch.relu(w @ XT)

        def velocity_update(g, w, a):
            G = torch.where(w @ XT > 0, g, 0.0) @ X
            force = (w * G).sum(1)
            w.sub_(ETA * a[:, None] * G)
            a.sub_(ETA * force)

        ready = (lambda f: torch.compile(f, dynamic=False)) if compiled else (lambda f: f)
        predict, velocity_update = ready(predict), ready(velocity_update)

        def blocks(w, a):
            f = torch.zeros_like(y)
            for j in range(len(w)):
                f = predict(f, w[j], a[j])
            g = residual(f)
            for j in range(len(w)):
                velocity_update(g, w[j], a[j])

        def form(step, load, unload):
            graphs = {}

            def run(k, state):
                with torch.no_grad():
                    if compiled and where == "cuda":
                        key = tuple(v.data_ptr() for v in state)
                        replay = graphs.get(key) or graphs.setdefault(key, captured(step, state))
                        for _ in range(k):
                            replay()
                    else:
                        for _ in range(k):
                            step(*state)
                    if where == "cuda":
                        torch.cuda.synchronize()
                return state

            take = lambda state: unload(tuple(v.cpu().numpy() for v in state))
            return (lambda w, a: tuple(put(v) for v in load(w, a))), run, take

        def captured(step, state):
            """One step as a CUDA graph: without it small networks wait for Python."""
            saved = [v.clone() for v in state]
            side = torch.cuda.Stream()
            side.wait_stream(torch.cuda.current_stream())
            with torch.cuda.stream(side):
                for _ in range(3):
                    step(*state)
            torch.cuda.current_stream().wait_stream(side)
            graph = torch.cuda.CUDAGraph()
            with torch.cuda.graph(graph):
                step(*state)
            for v, s in zip(state, saved):
                v.copy_(s)
            return graph.replay

        rows = (lambda w, a: (w, a)), (lambda s: s)
        return {
            "plain": form(ready(plain), *rows),
            "w (d, m)": form(ready(columns), lambda w, a: (w.T, a), lambda s: (s[0].T, s[1])),
            "blocks": form(blocks, lambda w, a: in_blocks(w, a, size), lambda s: flat(*s, m)),
        }

    return rival


def keops_rival(X, y, m, device):
    import shutil

    if not shutil.which(os.environ.get("CXX", "g++")):
        raise ImportError("KeOps needs a C++ compiler (g++)")
    import torch
    from pykeops.torch import LazyTensor

    where = "cuda" if device == "gpu" else "cpu"
    if where == "cuda" and not torch.cuda.is_available():
        raise ImportError("this PyTorch sees no GPU")
    put = lambda v: torch.as_tensor(v, device=where).contiguous().clone()
    X, y = put(X), put(y)
    x_i = LazyTensor(X[:, None, :])

    def run(k, state):
        w, a = state
        for _ in range(k):
            w_j, a_j = LazyTensor(w[None, :, :]), LazyTensor(a[None, :, None])
            z = (x_i | w_j)
            f = (z.relu() * a_j).sum(dim=1)[:, 0] / m
            g = LazyTensor((-y * torch.softmax(-y * f, 0))[:, None, None])
            # KeOps's step(0) is 1 where ReLU'(0) is 0; no Gaussian z is exactly 0.
            G = (z.step() * g * x_i).sum(dim=0)
            w, a = w - ETA * a[:, None] * G, a - ETA * (w * G).sum(1)
        if where == "cuda":
            torch.cuda.synchronize()
        return w, a

    return {"plain": (lambda w, a: (put(w), put(a)), run, lambda s: tuple(v.cpu().numpy() for v in s))}
