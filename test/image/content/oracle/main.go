// Answers questions about paths, patterns and Dockerfiles with Docker's own packages, so that ours
// can be compared with them: JSON lines in, JSON lines out. See generate.ts.
package main

import (
	"bufio"
	"context"
	_ "crypto/sha256" // digests in references are checked with it
	"encoding/json"
	"os"
	"path"
	"path/filepath"
	"strings"

	"github.com/distribution/reference"
	"github.com/moby/buildkit/frontend/dockerfile/instructions"
	"github.com/moby/buildkit/frontend/dockerfile/linter"
	"github.com/moby/buildkit/frontend/dockerfile/parser"
	"github.com/moby/buildkit/frontend/dockerfile/shell"
	"github.com/moby/patternmatcher"
	"github.com/moby/patternmatcher/ignorefile"
	"github.com/tonistiigi/fsutil"
)

type question struct {
	Kind    string            `json:"kind"`
	Text    string            `json:"text"`
	Paths   []string          `json:"paths"`
	Env     map[string]string `json:"env"`
	Escape  string            `json:"escape"`
	Options map[string]bool   `json:"options"`
}

type line struct {
	Name     string           `json:"name"`
	Flags    []string         `json:"flags"`
	Words    []string         `json:"words"`
	Heredocs []parser.Heredoc `json:"heredocs"`
}

type answer struct {
	Error    bool     `json:"error,omitempty"`
	Hits     []bool   `json:"hits,omitempty"`
	Paths    []string `json:"paths,omitempty"`
	Text     string   `json:"text,omitempty"`
	Words    []string `json:"words,omitempty"`
	Escape   string   `json:"escape,omitempty"`
	Syntax   string   `json:"syntax,omitempty"`
	Lines    []line   `json:"lines,omitempty"`
	Triggers []string `json:"triggers,omitempty"`
}

type variables map[string]string

func (v variables) Get(key string) (string, bool) { value, ok := v[key]; return value, ok }
func (v variables) Keys() []string                { return nil }

func main() {
	in := bufio.NewScanner(os.Stdin)
	in.Buffer(nil, 1<<24)
	out := json.NewEncoder(os.Stdout)
	out.SetEscapeHTML(false)
	for in.Scan() {
		var q question
		if err := json.Unmarshal(in.Bytes(), &q); err != nil {
			panic(err)
		}
		a, err := respond(q)
		if err != nil {
			a = answer{Error: true}
		}
		if err := out.Encode(a); err != nil {
			panic(err)
		}
	}
}

func respond(q question) (answer, error) {
	switch q.Kind {
	case "ignore":
		return ignore(q)
	case "walk":
		return walk(q)
	case "glob":
		a := answer{}
		for _, name := range q.Paths {
			hit, err := path.Match(q.Text, name)
			if err != nil {
				return a, err
			}
			a.Hits = append(a.Hits, hit)
		}
		return a, nil
	case "expand":
		return expand(q)
	case "dockerfile":
		return dockerfile(q)
	case "reference":
		named, err := reference.ParseNormalizedNamed(q.Text)
		if err != nil {
			return answer{}, err
		}
		return answer{Text: reference.FamiliarString(named), Words: []string{named.Name()}}, nil
	}
	panic("unknown kind " + q.Kind)
}

func ignore(q question) (answer, error) {
	patterns, err := ignorefile.ReadAll(strings.NewReader(q.Text))
	if err != nil {
		return answer{}, err
	}
	a := answer{Words: patterns}
	matcher, err := patternmatcher.New(patterns)
	if err != nil {
		return a, err
	}
	for _, p := range q.Paths {
		hit, _, err := matcher.MatchesUsingParentResults(p, patternmatcher.MatchInfo{})
		if err != nil {
			return a, err
		}
		a.Hits = append(a.Hits, hit)
	}
	return a, nil
}

// The paths are made as files (folders, where they end with a slash) and walked as a build context.
func walk(q question) (answer, error) {
	root, err := os.MkdirTemp("", "oracle-")
	if err != nil {
		panic(err)
	}
	defer os.RemoveAll(root)
	for _, p := range q.Paths {
		at := filepath.Join(root, p)
		if strings.HasSuffix(p, "/") {
			_ = os.MkdirAll(at, 0o755)
			continue
		}
		_ = os.MkdirAll(filepath.Dir(at), 0o755)
		if err := os.WriteFile(at, nil, 0o644); err != nil {
			panic(err)
		}
	}
	patterns, err := ignorefile.ReadAll(strings.NewReader(q.Text))
	if err != nil {
		return answer{}, err
	}
	a := answer{}
	err = fsutil.Walk(context.Background(), root, &fsutil.FilterOpt{ExcludePatterns: patterns},
		func(p string, info os.FileInfo, err error) error {
			if err != nil {
				return err
			}
			a.Paths = append(a.Paths, p)
			return nil
		})
	return a, err
}

func expand(q question) (answer, error) {
	lex := shell.NewLex([]rune(q.Escape)[0])
	lex.RawQuotes = q.Options["rawQuotes"]
	lex.RawEscapes = q.Options["rawEscapes"]
	lex.SkipProcessQuotes = q.Options["plainQuotes"]
	lex.SkipUnsetEnv = q.Options["keepUnset"]
	result, err := lex.ProcessWordWithMatches(q.Text, variables(q.Env))
	return answer{Text: result.Result, Words: result.Words}, err
}

func dockerfile(q question) (answer, error) {
	result, err := parser.Parse(strings.NewReader(q.Text))
	if err != nil {
		return answer{}, err
	}
	a := answer{Escape: string(result.EscapeToken)}
	a.Syntax, _, _, _ = parser.DetectSyntax([]byte(q.Text))
	if _, _, err := instructions.Parse(result.AST, linter.New(&linter.Config{SkipAll: true})); err != nil {
		return answer{}, err
	}
	for _, node := range result.AST.Children {
		l := line{Name: strings.ToLower(node.Value), Flags: node.Flags, Heredocs: node.Heredocs}
		for next := node.Next; next != nil; next = next.Next {
			l.Words = append(l.Words, next.Value)
		}
		a.Lines = append(a.Lines, l)
		node.PrevComment = nil
		if ic, err := instructions.ParseInstruction(node); err == nil {
			if trigger, ok := ic.(*instructions.OnbuildCommand); ok {
				a.Triggers = append(a.Triggers, trigger.Expression)
			}
		}
	}
	return a, nil
}
