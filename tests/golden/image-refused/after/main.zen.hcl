zenctl {
  project = "packages"
}

step "python" "use" {
  code = "use.py:use"
  environment {
    image = "python:3.11"
  }
}
