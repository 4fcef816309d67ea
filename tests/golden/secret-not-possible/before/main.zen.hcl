zenctl {
  project = "packages"
}

step "python" "use" {
  code = "use.py:use"
}
