a = ns::f(x, y...)
b = f(
  1,
  2,
)
c = f()
