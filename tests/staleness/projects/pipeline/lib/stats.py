from functools import cached_property


class Table:
    def __init__(self, rows):
        self.rows = list(rows)

    def __getitem__(self, name):
        return self._find(name)

    def _find(self, name):
        return {"first": self.rows[0], "last": self.rows[-1]}[name]

    def mean(self):
        return self._sum / len(self)

    @cached_property
    def _sum(self):
        return sum(self.rows)

    @cached_property
    def _product(self):
        found = 1
        for row in self.rows:
            found *= row
        return found

    def __len__(self):
        return len(self.rows)

    def __iter__(self):
        return iter(self.rows)

    @staticmethod
    def of(*rows):
        return Table(rows)

    @classmethod
    def empty(cls):
        return cls([])

    def median(self):
        return middle(sorted(self.rows))


def middle(rows):
    return rows[len(rows) // 2]
