// This file lets functions without a body be declared: hooks_overlay.go.
