from .base import Net
from .registry import register


def relu(x):
    return max(0.0, x)


@register("deep")
class Deep(Net):
    def initial(self):
        return [0.1] * 4

    def __call__(self, x):
        return relu(sum(w * x for w in self.weights))

    def prune(self):
        self.weights = [w for w in self.weights if w]
