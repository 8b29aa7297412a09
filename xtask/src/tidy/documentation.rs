//! Public items say what they are.

use proc_macro2::Span;
use syn::visit::{self, Visit};
use syn::{
    Attribute, Fields, ImplItemFn, ItemConst, ItemEnum, ItemFn, ItemMod, ItemStruct, ItemTrait, ItemType,
    TraitItemFn, Visibility,
};

pub(super) fn check(path: &str, text: &str, wrong: &mut Vec<String>) {
    match syn::parse_file(text) {
        Ok(file) => Undocumented { path, wrong }.visit_file(&file),
        Err(error) => wrong.push(format!("{path}: cannot be read as Rust: {error}")),
    }
}

struct Undocumented<'a> {
    path: &'a str,
    wrong: &'a mut Vec<String>,
}

impl Undocumented<'_> {
    fn require(&mut self, attributes: &[Attribute], visibility: &Visibility, name: &str, at: Span) {
        if matches!(visibility, Visibility::Public(_)) {
            self.require_always(attributes, name, at);
        }
    }

    fn require_always(&mut self, attributes: &[Attribute], name: &str, at: Span) {
        if !attributes.iter().any(|attribute| attribute.path().is_ident("doc")) {
            let line = at.start().line;
            self.wrong.push(format!("{}:{line}: `{name}` is public and not documented", self.path));
        }
    }

    fn fields(&mut self, fields: &Fields) {
        for field in fields {
            if let Some(name) = &field.ident {
                self.require(&field.attrs, &field.vis, &name.to_string(), name.span());
            }
        }
    }
}

fn is_test(attributes: &[Attribute]) -> bool {
    attributes.iter().any(|attribute| {
        attribute.path().is_ident("cfg")
            && attribute.parse_args::<syn::Ident>().is_ok_and(|condition| condition == "test")
    })
}

impl<'ast> Visit<'ast> for Undocumented<'_> {
    fn visit_item_mod(&mut self, item: &'ast ItemMod) {
        // A module in a file of its own is documented there.
        if item.content.is_some() && !is_test(&item.attrs) {
            self.require(&item.attrs, &item.vis, &item.ident.to_string(), item.ident.span());
            visit::visit_item_mod(self, item);
        }
    }

    fn visit_item_fn(&mut self, item: &'ast ItemFn) {
        // What stands inside of a function is not public.
        self.require(&item.attrs, &item.vis, &item.sig.ident.to_string(), item.sig.ident.span());
    }

    fn visit_item_struct(&mut self, item: &'ast ItemStruct) {
        self.require(&item.attrs, &item.vis, &item.ident.to_string(), item.ident.span());
        self.fields(&item.fields);
    }

    fn visit_item_enum(&mut self, item: &'ast ItemEnum) {
        self.require(&item.attrs, &item.vis, &item.ident.to_string(), item.ident.span());
        if matches!(item.vis, Visibility::Public(_)) {
            for variant in &item.variants {
                self.require_always(&variant.attrs, &variant.ident.to_string(), variant.ident.span());
            }
        }
    }

    fn visit_item_trait(&mut self, item: &'ast ItemTrait) {
        self.require(&item.attrs, &item.vis, &item.ident.to_string(), item.ident.span());
        if matches!(item.vis, Visibility::Public(_)) {
            visit::visit_item_trait(self, item);
        }
    }

    fn visit_trait_item_fn(&mut self, item: &'ast TraitItemFn) {
        self.require_always(&item.attrs, &item.sig.ident.to_string(), item.sig.ident.span());
    }

    fn visit_item_type(&mut self, item: &'ast ItemType) {
        self.require(&item.attrs, &item.vis, &item.ident.to_string(), item.ident.span());
    }

    fn visit_item_const(&mut self, item: &'ast ItemConst) {
        self.require(&item.attrs, &item.vis, &item.ident.to_string(), item.ident.span());
    }

    fn visit_impl_item_fn(&mut self, item: &'ast ImplItemFn) {
        self.require(&item.attrs, &item.vis, &item.sig.ident.to_string(), item.sig.ident.span());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_public_item_without_documentation_is_found() {
        let text = "pub struct A { pub b: u8 }\n/// E.\npub enum E { F }\n\
                    /// T.\npub trait T { fn t(&self); }\nimpl A { pub fn m(&self) {} fn n(&self) {} }\n\
                    pub(crate) fn private() {}\n#[cfg(test)]\nmod tests { pub fn helper() {} }";
        let mut wrong = Vec::new();
        check("x.rs", text, &mut wrong);
        let names: Vec<&str> = wrong.iter().filter_map(|line| line.split('`').nth(1)).collect();
        assert_eq!(names, ["A", "b", "F", "t", "m"]);
    }
}
