zenctl {
  project = "packages"
}

backend "plain" "far" {}

step "python" "use" {
  code    = "use.py:use"
  backend = backend.plain.far
  secrets = {
    HOME  = "env:HOME_TOKEN"
    CLOUD = "gcp-secret:projects/p/secrets/token"
  }
}
