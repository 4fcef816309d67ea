for = 1
if = 2
in = 3
null {
  true = {null = 1, for-x = 2, if = 3}
}
