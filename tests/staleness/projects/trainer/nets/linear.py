from .base import Net
from .registry import register


@register("linear")
class Linear(Net):
    def initial(self):
        return [0.0, 0.0]

    def __call__(self, x):
        return self.weights[0] * x + self.weights[1]

    def gradient(self, x):
        return [x, 1.0]

    def slope(self):
        return self.weights[0]
