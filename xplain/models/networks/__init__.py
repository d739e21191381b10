"""Networks whose weights arrive in packages."""
