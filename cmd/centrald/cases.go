package main

import (
	"fmt"
	"log/slog"
	"net/http"

	"haochaping/internal/central/cases"
	"haochaping/internal/central/intake"
)

// cases returns the door of business systems and other channels on its listener.
func (c *command) cases(cfg casesConfig, x *rooms, log *slog.Logger) (site, error) {
	tokens := passwords{cfg.TokensFile, log}
	if _, err := tokens.read(); err != nil {
		return site{}, fmt.Errorf("cases.tokens_file: %w", err)
	}
	door := cases.Door{Tokens: tokens, Logger: log}
	pages := http.NewServeMux()
	pages.Handle("/", cases.Handler(cases.Config{Door: door, Journal: x.journal, Books: x.books}))
	pages.Handle("POST /v1/answers", intake.Handler(intake.Config{Door: door, Journal: x.journal}))
	s := site{handler: pages, logger: log}
	var err error
	if s.listener, err = listen(string(cfg.Listen), cfg.CertFile, cfg.KeyFile); err != nil {
		return site{}, fmt.Errorf("cases.listen: %w", err)
	}
	return s, nil
}
