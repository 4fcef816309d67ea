zenctl {
  project = "packages"
}

step "python" "use" {
  code = "use.py:use"
  environment {
    requirements = "lock.txt"
  }
}
