"""A multilayer perceptron with tanh hidden layers, its gradient by hand, and Adam."""

import numpy as np


def _orthogonal(rng, rows, columns, gain, dtype):
    matrix = rng.standard_normal((max(rows, columns), min(rows, columns)))
    q, r = np.linalg.qr(matrix)
    q = q * np.sign(np.diag(r))
    return (gain * (q if rows >= columns else q.T)).astype(dtype)


class Mlp:
    """Layers of `sizes`, the last one linear. `parameters`, [w0, b0, w1, ...], change in place."""

    def __init__(self, sizes, rng, output_gain=1.0, dtype=np.float32):
        self.sizes = tuple(sizes)
        self.parameters = []
        for layer, (rows, columns) in enumerate(zip(sizes, sizes[1:])):
            gain = output_gain if layer == len(sizes) - 2 else np.sqrt(2)
            self.parameters += [
                _orthogonal(rng, rows, columns, gain, dtype),
                np.zeros(columns, dtype=dtype),
            ]
        self._inputs = []

    def forward(self, x):
        """Outputs of a batch; what `backward` needs of it is kept until the next call."""
        self._inputs = []
        last = len(self.parameters) // 2 - 1
        for layer in range(last + 1):
            self._inputs.append(x)
            x = x @ self.parameters[2 * layer] + self.parameters[2 * layer + 1]
            if layer < last:
                x = np.tanh(x)
        return x

    def backward(self, output_gradient):
        """Gradients of the parameters, in their order, given that of the last forward's outputs."""
        gradients = [None] * len(self.parameters)
        delta = output_gradient
        for layer in reversed(range(len(self.parameters) // 2)):
            x = self._inputs[layer]
            gradients[2 * layer] = x.T @ delta
            gradients[2 * layer + 1] = delta.sum(axis=0)
            if layer:
                # x is the tanh of the layer before: its derivative is 1 - x².
                delta = (delta @ self.parameters[2 * layer].T) * (1 - x * x)
        return gradients


class Adam:
    """Adam on a list of arrays, changed in place."""

    def __init__(self, parameters, learning_rate, beta1=0.9, beta2=0.999, epsilon=1e-5):
        self._parameters, self._rate = parameters, learning_rate
        self._beta1, self._beta2, self._epsilon = beta1, beta2, epsilon
        self._mean = [np.zeros_like(p) for p in parameters]
        self._square = [np.zeros_like(p) for p in parameters]
        self._steps = 0

    def step(self, gradients):
        self._steps += 1
        correction = np.sqrt(1 - self._beta2**self._steps) / (1 - self._beta1**self._steps)
        rate = self._rate * correction
        for p, g, m, v in zip(self._parameters, gradients, self._mean, self._square):
            m += (1 - self._beta1) * (g - m)
            v += (1 - self._beta2) * (g * g - v)
            p -= (rate * m / (np.sqrt(v) + self._epsilon)).astype(p.dtype)


def clip_norm(gradients, limit):
    """Scale gradients down, in place, so that their joint length is at most `limit`."""
    norm = float(np.sqrt(sum(float((g * g).sum()) for g in gradients)))
    if norm > limit:
        for g in gradients:
            g *= limit / norm
    return norm
