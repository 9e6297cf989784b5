// Command probe looks at the cluster from inside a pod: it serves a page, fetches one, or resolves a name.
package main

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"time"
)

const patience = 60 * time.Second

func main() {
	if len(os.Args) != 3 {
		fail("usage: probe serve ADDRESS | get URL | resolve NAME | say TEXT")
	}
	switch verb, object := os.Args[1], os.Args[2]; verb {
	case "serve":
		serve(object)
	case "get":
		retry(func(ctx context.Context) (string, error) { return get(ctx, object) })
	case "resolve":
		retry(func(ctx context.Context) (string, error) { return resolve(ctx, object) })
	case "say":
		fmt.Println(object)
	default:
		fail("unknown verb " + verb)
	}
}

func serve(address string) {
	answer := func(w http.ResponseWriter, _ *http.Request) { fmt.Fprintf(w, "uid %d\n", os.Getuid()) }
	server := http.Server{Addr: address, Handler: http.HandlerFunc(answer), ReadHeaderTimeout: 5 * time.Second}
	fail(server.ListenAndServe())
}

func get(ctx context.Context, url string) (string, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return "", err
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return "", err
	}
	defer response.Body.Close()
	body, err := io.ReadAll(io.LimitReader(response.Body, 1<<16))
	if err == nil && response.StatusCode >= 400 {
		err = fmt.Errorf("%s: %s", url, response.Status)
	}
	return string(body), err
}

func resolve(ctx context.Context, name string) (string, error) {
	addresses, err := net.DefaultResolver.LookupHost(ctx, name)
	return fmt.Sprintln(addresses), err
}

// retry asks until there is an answer: what is asked for may be starting at the same time.
func retry(ask func(context.Context) (string, error)) {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	for {
		answer, err := ask(ctx)
		if err == nil {
			fmt.Print(answer)
			return
		}
		select {
		case <-ctx.Done():
			fail(err)
		case <-time.After(200 * time.Millisecond):
		}
	}
}

func fail(reason any) {
	fmt.Fprintln(os.Stderr, reason)
	os.Exit(1)
}
