zenctl {
  project = "echoing"
}

step "echo" "hello" {
  text = "hi"
}
