zenctl {
  project = "packages"
}

backend "plain" "far" {}

step "python" "use" {
  code    = "use.py:use"
  backend = backend.plain.far
  environment {
    image = "python@sha256:5b1e8f0c9d7a6e4f3b2c1d0e9f8a7b6c5d4e3f2a1b0c9d8e7f6a5b4c3d2e1f0a"
  }
}
