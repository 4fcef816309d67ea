a = x::
b = x::y
c = ::x()
d = x::1()
