// Prints ini files as JSON, read by the library that Gitea and Grafana read theirs with: a list with an object for each file, of
// sections, of keys. An address in the key FROM is printed in its parts, too, as Gitea takes it apart.
package main

import (
	"encoding/json"
	"net/mail"
	"os"

	"gopkg.in/ini.v1"
)

func main() {
	all := []map[string]map[string]string{}
	for _, path := range os.Args[1:] {
		file, err := ini.LoadSources(ini.LoadOptions{IgnoreContinuation: true}, path)
		if err != nil {
			panic(err)
		}
		sections := map[string]map[string]string{}
		for _, section := range file.Sections() {
			keys := map[string]string{}
			for _, key := range section.Keys() {
				keys[key.Name()] = key.String()
			}
			if from, ok := keys["FROM"]; ok {
				address, err := mail.ParseAddress(from)
				if err != nil {
					panic(err)
				}
				keys["FROM name"], keys["FROM address"] = address.Name, address.Address
			}
			sections[section.Name()] = keys
		}
		all = append(all, sections)
	}
	if err := json.NewEncoder(os.Stdout).Encode(all); err != nil {
		panic(err)
	}
}
