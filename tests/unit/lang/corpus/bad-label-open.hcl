b "l {
  x = 1
}
c "m {
}
