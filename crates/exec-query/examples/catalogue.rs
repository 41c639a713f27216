//! Searching a small catalogue in memory: `cargo run -p exec-query --example catalogue -- 'category:file "read a"'`.
#![expect(clippy::print_stdout, reason = "an example talks to the terminal")]

use std::error::Error;
use std::time::SystemTime;

use exec_query::{
    Cell, Detail, Field, FieldSpec, Kind, Language, Planner, Row, Schema, Statistics, Tokenizer,
};

/// A tool that can be called.
struct Tool {
    id: i64,
    name: &'static str,
    category: &'static str,
    description: &'static str,
}

const TOOLS: [Tool; 5] = [
    Tool { id: 1, name: "file.read", category: "file", description: "Reads a file as text" },
    Tool { id: 2, name: "file.write", category: "file", description: "Writes text into a file" },
    Tool {
        id: 3,
        name: "http.get",
        category: "net",
        description: "Fetches a page; reading stops at a limit",
    },
    Tool { id: 4, name: "mail.send", category: "net", description: "Sends a letter" },
    Tool { id: 5, name: "clock.now", category: "time", description: "Says what time it is" },
];

impl Row for Tool {
    /// The fields are numbered as the schema declares them; the key is the first.
    fn cell(&self, field: Field) -> Cell<'_> {
        match field.number() {
            0 => Cell::Integer(self.id),
            1 => Cell::Text(self.name),
            2 => Cell::Text(self.category),
            _ => Cell::Text(self.description),
        }
    }
}

fn main() -> Result<(), Box<dyn Error>> {
    let schema = Schema::catalogue("id")
        .with(FieldSpec::new("name", Kind::Text).required().detail(Detail::Name))
        .with(FieldSpec::new("category", Kind::Text).required())
        .with(FieldSpec::new("description", Kind::Prose).detail(Detail::Full))
        .tokenizer(Tokenizer::porter())
        .build()?;
    let planner = Planner::new(schema.clone(), Statistics::unknown(&schema, TOOLS.len() as u64))?;
    let given = std::env::args().nth(1);
    let texts = match &given {
        Some(text) => vec![text.as_str()],
        None => {
            vec!["read sort:name show:full", "category:file,net -send", "name~GET show:name", "categry:file"]
        }
    };
    for text in texts {
        println!("> {text}");
        let query = match Language::new(&schema, SystemTime::now()).parse(text) {
            Ok(query) => query,
            Err(problems) => {
                print!("{}", problems.show(text));
                continue;
            }
        };
        let plan = planner.plan(&query)?;
        for tool in plan.scan(&schema, &TOOLS) {
            let shown: Vec<String> =
                plan.fields().iter().map(|field| format!("{:?}", tool.cell(*field))).collect();
            println!("  {}", shown.join(", "));
        }
    }
    Ok(())
}
