# Version; there is no provider.

terraform {
  required_version = ">= 1.11"
}
