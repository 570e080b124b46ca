package payment_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// The rules of the house, checked on the source itself and in this process: a
// test that shells out is served stale from the test cache.

const module = "github.com/tender-go/payment"

// mayImport says which of the module's packages, and which third parties, the
// production code of a folder may import. The first prefix that matches decides.
var mayImport = []struct {
	folder string
	own    []string // folders of the module
	third  []string // modules
	why    string
}{
	{"money", nil, []string{"github.com/shopspring/decimal"}, "money is the leaf"},
	{"ledger/posting", []string{".", "money", "ledger"}, nil, "the rules stand between payments and the ledger"},
	{"ledger", []string{"money"}, nil, "the ledger stands on money alone"},
	{"internal/ledgertest", []string{"money", "ledger"}, nil, "it fills books for tests"},
	{"internal/", []string{".", "money", "internal/"}, nil, "internal packages serve the core and carry no third party"},
	{".", []string{"money", "internal/"}, nil, "the core knows no SDK, no SQL and no satellite"},
	{"provider/stripe", []string{".", "money", "internal/"}, []string{"github.com/stripe/stripe-go/v76"}, "an adapter imports the core and its own SDK, never another adapter"},
	{"provider/providertest", []string{".", "money", "internal/"}, []string{"github.com/stretchr/testify"}, "a conformance suite tests any adapter"},
	{"provider/", []string{".", "money", "internal/"}, nil, "an adapter imports the core and its own SDK, never another adapter"},
	{"store/sqlite", []string{".", "internal/", "store/sqlstore"}, []string{"modernc.org/sqlite"}, "the driver is imported here only"},
	{"store/postgres", []string{".", "internal/", "store/sqlstore"}, []string{"github.com/jackc/pgx/v5"}, "the driver is imported here only"},
	{"store/storetest", []string{".", "money", "internal/", "store/", "ledger"}, []string{"github.com/stretchr/testify"}, "a conformance suite tests any store"},
	{"store/", []string{".", "money", "internal/", "ledger"}, nil, "stores import the core and no driver"},
	{"webhook", []string{".", "internal/"}, nil, "the handler is thin"},
	{"sandbox", []string{"sandbox"}, nil, "the sandbox is written from the providers' documentation, apart from the code it serves"},
	{"examples/", []string{"."}, []string{}, "hosts may import everything of the module"},
}

type source struct {
	path    string // of the file, from the root
	folder  string
	test    bool
	imports []string
	file    *ast.File
}

func sources(t *testing.T) []source {
	t.Helper()
	var out []source
	err := filepath.WalkDir(".", func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() {
			if n := d.Name(); path != "." && (strings.HasPrefix(n, ".") || n == "testdata") {
				return filepath.SkipDir
			}
			return nil
		}
		if !strings.HasSuffix(path, ".go") {
			return nil
		}
		f, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.ParseComments)
		if err != nil {
			return err
		}
		s := source{path: path, folder: filepath.ToSlash(filepath.Dir(path)), test: strings.HasSuffix(path, "_test.go"), file: f}
		for _, i := range f.Imports {
			s.imports = append(s.imports, strings.Trim(i.Path.Value, `"`))
		}
		out = append(out, s)
		return nil
	})
	require.NoError(t, err)
	require.Greater(t, len(out), 50, "the walk found the module's files")
	return out
}

func under(path string, folders []string) bool {
	for _, f := range folders {
		if path == f || (f != "." && strings.HasPrefix(path+"/", strings.TrimSuffix(f, "/")+"/")) {
			return true
		}
	}
	return false
}

func TestImportRules(t *testing.T) {
	t.Parallel()
	for _, s := range sources(t) {
		if s.test || strings.HasPrefix(s.folder, "internal/simulation") || s.folder == "internal/pgtest" || s.folder == "internal/crash" || strings.HasPrefix(s.folder, "examples/") || strings.HasPrefix(s.folder, "internal/bench") {
			continue
		}
		for _, rule := range mayImport {
			if !under(s.folder, []string{rule.folder}) {
				continue
			}
			for _, imp := range s.imports {
				own, isOwn := strings.CutPrefix(imp, module)
				if isOwn {
					own = strings.TrimPrefix(own, "/")
					if own == "" {
						own = "."
					}
					if own != s.folder && !under(own, rule.own) && !under(own, []string{rule.folder}) {
						t.Errorf("%s imports %s: %s", s.path, imp, rule.why)
					}
					continue
				}
				first, _, _ := strings.Cut(imp, "/")
				if strings.Contains(first, ".") && !under(imp, rule.third) {
					t.Errorf("%s imports %s: %s", s.path, imp, rule.why)
				}
			}
			break
		}
	}
}

func TestNobodyImportsTestingInProduction(t *testing.T) {
	t.Parallel()
	kits := []string{"provider/providertest", "store/storetest", "internal/pgtest", "internal/crash", "internal/simulation", "internal/mutant", "paymenttest"}
	for _, s := range sources(t) {
		if s.test || under(s.folder, kits) {
			continue
		}
		for _, imp := range s.imports {
			if imp == "testing" || strings.HasPrefix(imp, "github.com/stretchr/testify") || strings.HasPrefix(imp, "pgregory.net/rapid") {
				t.Errorf("%s imports %s: test code stays in tests and test kits", s.path, imp)
			}
		}
	}
}

func TestEveryPackageHasOneDocComment(t *testing.T) {
	t.Parallel()
	docs := map[string][]string{}
	seen := map[string]bool{}
	for _, s := range sources(t) {
		if s.test {
			continue
		}
		seen[s.folder] = true
		if s.file.Doc != nil && strings.TrimSpace(s.file.Doc.Text()) != "" {
			docs[s.folder] = append(docs[s.folder], s.path)
		}
	}
	for folder := range seen {
		if len(docs[folder]) != 1 {
			t.Errorf("package in %s has %d doc comments %v: it needs exactly one", folder, len(docs[folder]), docs[folder])
		}
	}
}

func TestNoInitNoUtil(t *testing.T) {
	t.Parallel()
	for _, s := range sources(t) {
		if n := s.file.Name.Name; n == "util" || n == "utils" || n == "common" || n == "helpers" {
			t.Errorf("%s: package %s says nothing about what is in it", s.path, n)
		}
		for _, d := range s.file.Decls {
			if f, ok := d.(*ast.FuncDecl); ok && f.Recv == nil && f.Name.Name == "init" {
				t.Errorf("%s has an init function: wiring is explicit", s.path)
			}
		}
	}
}

// TestNoEnvironmentNoWallClock keeps the library from reading what its caller
// did not give it.
func TestNoEnvironmentNoWallClock(t *testing.T) {
	t.Parallel()
	for _, s := range sources(t) {
		if s.test || under(s.folder, []string{"examples", "sandbox/cmd", "internal/pgtest", "internal/crash", "internal/simulation", "internal/bench", "provider/providertest", "store/storetest"}) {
			continue
		}
		ast.Inspect(s.file, func(n ast.Node) bool {
			call, ok := n.(*ast.CallExpr)
			if !ok {
				return true
			}
			sel, ok := call.Fun.(*ast.SelectorExpr)
			if !ok {
				return true
			}
			pkg, ok := sel.X.(*ast.Ident)
			if !ok {
				return true
			}
			name := pkg.Name + "." + sel.Sel.Name
			if name == "os.Getenv" || name == "os.LookupEnv" || name == "os.Environ" {
				t.Errorf("%s calls %s: the library reads no environment", s.path, name)
			}
			return true
		})
	}
}

var exported = regexp.MustCompile(`^[A-Z]`)

// TestExportedNamesAreDocumented covers the packages that users read.
func TestExportedNamesAreDocumented(t *testing.T) {
	t.Parallel()
	for _, s := range sources(t) {
		if s.test || s.file.Name.Name == "main" {
			continue
		}
		for _, d := range s.file.Decls {
			switch d := d.(type) {
			case *ast.FuncDecl:
				if !exported.MatchString(d.Name.Name) || d.Doc != nil {
					continue
				}
				if d.Recv != nil && (!exported.MatchString(receiver(d)) || wellKnown[d.Name.Name]) {
					continue
				}
				t.Errorf("%s: %s has no doc comment", s.path, d.Name.Name)
			case *ast.GenDecl:
				for _, spec := range d.Specs {
					if ts, ok := spec.(*ast.TypeSpec); ok && exported.MatchString(ts.Name.Name) && ts.Doc == nil && d.Doc == nil {
						t.Errorf("%s: type %s has no doc comment", s.path, ts.Name.Name)
					}
				}
			}
		}
	}
}

// wellKnown methods say all by their name and their interface.
var wellKnown = map[string]bool{"Error": true, "Unwrap": true, "Is": true, "String": true, "Len": true, "Less": true, "Swap": true, "Push": true, "Pop": true}

func receiver(d *ast.FuncDecl) string {
	t := d.Recv.List[0].Type
	if p, ok := t.(*ast.StarExpr); ok {
		t = p.X
	}
	if i, ok := t.(*ast.IndexExpr); ok {
		t = i.X
	}
	if id, ok := t.(*ast.Ident); ok {
		return id.Name
	}
	return ""
}

// TestNoMachinePaths keeps paths of one machine out of what is published.
func TestNoMachinePaths(t *testing.T) {
	t.Parallel()
	bad := regexp.MustCompile(`(^|[^A-Za-z0-9_.])/(work|farm|root)/`)
	err := filepath.WalkDir(".", func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() {
			if d.Name() == ".git" {
				return filepath.SkipDir
			}
			return nil
		}
		switch filepath.Ext(path) {
		case ".go", ".md", ".sql", ".json", ".yml", "":
		default:
			return nil
		}
		if path == "house_test.go" {
			return nil
		}
		b, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		if m := bad.Find(b); m != nil {
			t.Errorf("%s names a path of one machine: %q", path, m)
		}
		return nil
	})
	require.NoError(t, err)
}

// Every file of the root is named in the design, so that a newcomer finds the
// right one.
func TestDesignNamesEveryFile(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("docs/design.md")
	require.NoError(t, err)
	known := map[string]bool{}
	for _, folder := range []string{".", "ledger"} {
		files, err := filepath.Glob(filepath.Join(folder, "*.go"))
		require.NoError(t, err)
		for _, f := range files {
			f = filepath.Base(f)
			known[f] = true
			if f != "doc.go" && !strings.HasSuffix(f, "_test.go") {
				require.Contains(t, string(text), "`"+f+"`", "docs/design.md does not say what %s in %s is for", f, folder)
			}
		}
	}
	for _, name := range regexp.MustCompile("`([a-z_]+\\.go)`").FindAllStringSubmatch(string(text), -1) {
		require.True(t, known[name[1]], "docs/design.md names %s, which is not there", name[1])
	}
}
